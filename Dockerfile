# inhouse in a container: one process, one volume (/data), no root.
#
#   docker build -t inhouse .
#   docker run --init -p 127.0.0.1:8420:8420 -v inhouse:/data inhouse

FROM python:3.13-slim AS build
WORKDIR /source
RUN python -m venv /opt/inhouse
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /opt/inhouse/bin/pip install --no-cache-dir --disable-pip-version-check .

FROM python:3.13-slim
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin inhouse \
    && install --directory --owner=inhouse --group=inhouse --mode=0700 /data
COPY --from=build /opt/inhouse /opt/inhouse
ENV PATH=/opt/inhouse/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_WAIT_POLICY=passive \
    INHOUSE_DATA=/data \
    INHOUSE_HOST=0.0.0.0 \
    INHOUSE_PORT=8420
USER inhouse
VOLUME /data
EXPOSE 8420
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['INHOUSE_PORT'] + '/healthz', timeout=4)"]
CMD ["inhouse", "serve"]
