# syntax=docker/dockerfile:1
#
# Web server, worker, clock and admission edge: one image, four commands (below). Linted by `make check`; it has NOT been built where it
# was written, because no container engine is available there. Treat the first build as its first test.
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" -t controlplane .
#   docker run --read-only --tmpfs /tmp --env-file production.env -p 8000:8000 controlplane                      # web
#   docker run --read-only --tmpfs /tmp --env-file production.env controlplane celery -A controlplane worker     # worker
#   docker run --read-only --tmpfs /tmp --env-file production.env controlplane celery -A controlplane beat --schedule /tmp/beat
#   docker run --read-only --tmpfs /tmp --env-file edge.env -p 8100:8100 --ulimit nofile=65536 --no-healthcheck controlplane python -m controlplane.edge
#   docker run --rm --read-only --tmpfs /tmp --env-file production.env controlplane python manage.py migrate     # once a release
#
# The edge listens on loopback unless CONTROLPLANE_EDGE_ADDRESS=0.0.0.0 stands in edge.env, which needs no more than docs/operations.md
# says; probe its /readyz, since the image's health check is the web server's. 8101 is its operators' port.
#
# The root file system may be read-only: nothing is written but /tmp. The image holds no secret and no state. Pin the base by digest in
# your own registry; a tag is only a name.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt /build/
RUN python -m venv /venv \
 && /venv/bin/pip install --require-hashes --only-binary :all: -r /build/requirements.txt
WORKDIR /app
COPY manage.py gunicorn.conf.py ./
COPY core core
COPY tenants tenants
COPY provisioning provisioning
COPY controlplane controlplane
COPY templates templates
# Collecting static files is one of the few commands that run without secrets; none is left behind.
RUN CONTROLPLANE_ENVIRONMENT=production /venv/bin/python manage.py collectstatic --no-input --verbosity 0 \
 && /venv/bin/python -m compileall -q .

FROM python:3.11-slim-bookworm
ARG REVISION=unknown
LABEL org.opencontainers.image.title="controlplane" org.opencontainers.image.revision="${REVISION}"
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin controlplane
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    CONTROLPLANE_ENVIRONMENT=production CONTROLPLANE_STATE_DIR=/tmp/state
USER 10001:10001
EXPOSE 8000 8100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["gunicorn", "controlplane.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "8", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "--graceful-timeout", "20", "--max-requests", "20000", "--max-requests-jitter", "2000"]
