# What stands in where there is no AWS: the offline model server (default) and, as `--target tsa`, a timestamp
# authority. Neither belongs in a deployment on AWS. The encoder in imageio-ffmpeg is GPL: see NOTICE.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS libraries
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore uv==${UV_VERSION}
COPY requirements/offline.txt /tmp/requirements.txt
RUN uv venv --quiet /opt/circletake \
    && uv pip sync --quiet --no-cache --require-hashes --compile-bytecode --python /opt/circletake/bin/python /tmp/requirements.txt

FROM ${PYTHON} AS stand-in
# /data is where a named volume is mounted: it takes the folder's owner from here
RUN groupadd --gid 10001 circletake && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin circletake \
    && install -d -m 0700 -o 10001 -g 10001 /data
ENV PATH=/opt/circletake/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=libraries /opt/circletake /opt/circletake
WORKDIR /app
COPY LICENSE NOTICE ./
COPY services/__init__.py ./services/__init__.py
STOPSIGNAL SIGTERM

FROM stand-in AS tsa
COPY circletake/__init__.py ./circletake/__init__.py
COPY circletake/kit ./circletake/kit
COPY services/embedded/__init__.py services/embedded/pki.py services/embedded/timestamp_authority.py ./services/embedded/
USER 10001:10001
EXPOSE 8087
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8087/', timeout=2)"]
CMD ["python", "-m", "services.embedded.timestamp_authority", "--host", "0.0.0.0", "--port", "8087", "--pki", "/data"]

FROM stand-in AS bedrock
COPY services/bedrock ./services/bedrock
COPY infra/docker/seed_keys.py ./seed_keys.py
USER 10001:10001
EXPOSE 9100
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9100/_offline/health', timeout=2)"]
ENV CIRCLETAKE_BEDROCK_KEYS=/tmp/keys.json
CMD ["python", "seed_keys.py", "bedrock", "/tmp/keys.json", "--", "python", "-m", "services.bedrock", \
     "--host", "0.0.0.0", "--port", "9100", "--state-dir", "/data", "--s3-endpoint", "http://s3:9000"]
