# Two images: `--target migrate` brings the schema up and ends; the default decides what runs next.
# Neither holds an AWS key or a picture library; each is given one database role.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS libraries
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore uv==${UV_VERSION}
COPY requirements/base.txt /tmp/requirements.txt
RUN uv venv --quiet /opt/circletake \
    && uv pip sync --quiet --no-cache --require-hashes --compile-bytecode --python /opt/circletake/bin/python /tmp/requirements.txt

FROM ${PYTHON} AS product
RUN groupadd --gid 10001 circletake && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin circletake
ENV PATH=/opt/circletake/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=libraries /opt/circletake /opt/circletake
WORKDIR /app
COPY LICENSE NOTICE ./
COPY circletake ./circletake
STOPSIGNAL SIGTERM

FROM product AS migrate
COPY migrations ./migrations
USER 10001:10001
HEALTHCHECK NONE
CMD ["python", "-m", "alembic", "-c", "migrations/alembic.ini", "upgrade", "head"]

FROM product AS dispatcher
COPY services/__init__.py ./services/__init__.py
COPY services/dispatcher ./services/dispatcher
USER 10001:10001
ENV CIRCLETAKE_METRICS__PORT=9108
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9108/metrics', timeout=2)"]
CMD ["python", "-m", "services.dispatcher"]
