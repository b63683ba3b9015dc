# One image for every role; APP_ROLE chooses. Embedded by default: `docker run` with an APP_API_KEY
# and a volume on /data is a whole Orderly.

FROM python:3.13-slim-bookworm AS packages
# With what sends traces: docker build --build-arg LOCK=requirements-otel.lock
ARG LOCK=requirements.lock
COPY ${LOCK} /requirements.lock
# pip stays outside, so that what runs cannot install.
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
       --require-hashes --only-binary :all: -r /requirements.lock

FROM python:3.13-slim-bookworm
RUN groupadd --gid 10001 orderly \
    && useradd --uid 10001 --gid orderly --home-dir /data --no-create-home --shell /usr/sbin/nologin orderly \
    && install --directory --owner=orderly --group=orderly --mode=0750 /data
COPY --from=packages /opt/venv /opt/venv
WORKDIR /opt/orderly
COPY alembic.ini ./
COPY app app
RUN /opt/venv/bin/python -m compileall -q app

# PORT, not APP_PORT: platforms that assign a port set PORT, and APP_PORT still wins over it.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    APP_DATA=/data \
    APP_HOST=0.0.0.0 \
    APP_LOG_FORMAT=json \
    PORT=8000
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; port = os.environ.get('APP_PORT') or os.environ.get('PORT') or 8000; ask = http.client.HTTPConnection('127.0.0.1', int(port), timeout=4); ask.request('GET', '/health/ready'); sys.exit(ask.getresponse().status != 200)"]
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]
