# The S3 server of the embedded stack, with IAM, STS and KMS, as a container: for a machine without AWS.
# It doesn't encrypt at rest and is no archive: on AWS this image isn't used at all.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS libraries
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore uv==${UV_VERSION}
COPY requirements/s3.txt /tmp/requirements.txt
RUN uv venv --quiet /opt/circletake \
    && uv pip sync --quiet --no-cache --require-hashes --compile-bytecode --python /opt/circletake/bin/python /tmp/requirements.txt

FROM ${PYTHON}
RUN groupadd --gid 10001 circletake && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin circletake \
    && install -d -m 0700 -o 10001 -g 10001 /data
ENV PATH=/opt/circletake/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    S3_HOST=0.0.0.0 \
    S3_PORT=9000 \
    S3_NAMES=s3:9000 \
    S3_DIR=/data \
    S3_USERS=/tmp/users.json
COPY --from=libraries /opt/circletake /opt/circletake
WORKDIR /app
COPY LICENSE NOTICE ./
COPY services/__init__.py ./services/__init__.py
COPY services/embedded/__init__.py services/embedded/home.py services/embedded/users.py ./services/embedded/
COPY services/embedded/s3_server ./services/embedded/s3_server
COPY infra/docker/seed_keys.py ./seed_keys.py
USER 10001:10001
EXPOSE 9000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9000/_health', timeout=2)"]
CMD ["python", "seed_keys.py", "s3", "/tmp/users.json", "--", "python", "-s", "-m", "services.embedded.s3_server"]
