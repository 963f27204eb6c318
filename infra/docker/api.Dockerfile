# The gateway: no picture, video, signing or model library is in this image, and no model credentials reach it.
# The tag is that of the Python the locks were resolved and the tests were run with; for a release, pin its digest:
#   docker build --build-arg PYTHON=python:3.11-slim-bookworm@sha256:... -f infra/docker/api.Dockerfile .
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS libraries
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore uv==${UV_VERSION}
COPY requirements/api.txt /tmp/requirements.txt
RUN uv venv --quiet /opt/circletake \
    && uv pip sync --quiet --no-cache --require-hashes --compile-bytecode --python /opt/circletake/bin/python /tmp/requirements.txt

FROM ${PYTHON}
RUN groupadd --gid 10001 circletake && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin circletake
ENV PATH=/opt/circletake/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CIRCLETAKE_API__HOST=0.0.0.0 \
    CIRCLETAKE_API__PORT=8000
COPY --from=libraries /opt/circletake /opt/circletake
WORKDIR /app
COPY LICENSE NOTICE ./
COPY circletake ./circletake
COPY services/__init__.py ./services/__init__.py
COPY services/api ./services/api
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["python", "-m", "services.api"]
