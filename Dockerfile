# One image for every role; APP_ROLE chooses. Embedded by default: `docker run` with an APP_API_KEY
# and a volume on /data is a whole Orderly. docs/container.md tells more.

# To pin it: docker build --build-arg BASE=python@sha256:…
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS packages
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*
# With what sends traces: docker build --build-arg LOCK=requirements-otel.lock
ARG LOCK=requirements.lock
COPY ${LOCK} /requirements.lock
# pip stays outside, so that what runs cannot install.
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --disable-pip-version-check \
       --require-hashes --only-binary :all: -r /requirements.lock
# What is never read: symbols for a debugger, tests, sources of compiled modules. Bytecode that is
# not compared with its source: files have other times in every build, and starts are shorter.
RUN find /opt/venv -name '*.so' -exec strip --strip-debug {} + \
    && find /opt/venv -depth -type d -name tests -exec rm -r {} + \
    && find /opt/venv -type f -regex '.*\.\(pyx\|pxd\|pxi\|pyi\|c\|cpp\|h\|hpp\)' -delete \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib

FROM ${BASE} AS program
WORKDIR /opt/orderly
COPY alembic.ini deploy/image/healthcheck.py ./
COPY app app
# Readable whatever the umask of the checkout was.
RUN chmod -R u=rwX,go=rX . \
    && python -m compileall -q --invalidation-mode unchecked-hash app

FROM ${BASE}
# The base brings no bytecode of the standard library, and the user may not write any: each start
# would compile it again.
RUN echo 'orderly:x:10001:' >> /etc/group \
    && echo 'orderly:x:10001:10001::/data:/usr/sbin/nologin' >> /etc/passwd \
    && install --directory --owner=10001 --group=10001 --mode=0750 /data \
    && library=$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))') \
    && rm -r "$library"/ensurepip "$library"/site-packages/pip* /usr/local/bin/pip* \
    && python -m compileall -q --invalidation-mode unchecked-hash \
       -x '/(idlelib|lib2to3|pydoc_data|site-packages|tkinter|turtledemo)/' "$library"
COPY --from=packages /opt/venv /opt/venv
COPY --from=program /opt/orderly /opt/orderly
WORKDIR /opt/orderly

# PORT, not APP_PORT: platforms that assign a port set PORT, and APP_PORT still wins over it.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    APP_DATA=/data \
    APP_HOST=0.0.0.0 \
    APP_LOG_FORMAT=json \
    PORT=8000
LABEL org.opencontainers.image.title=Orderly \
      org.opencontainers.image.licenses=MIT
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-IS", "healthcheck.py"]
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]
