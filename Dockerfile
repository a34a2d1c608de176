# Sluice without anything that is only needed to build it.
FROM python:3.12-slim AS build
WORKDIR /build
RUN python -m venv /opt/sluice
COPY requirements/install.txt requirements/install.txt
RUN /opt/sluice/bin/pip install --no-cache-dir --require-hashes -r requirements/install.txt
COPY pyproject.toml README.md LICENSE ./
COPY consumer consumer
COPY detectors detectors
COPY reports reports
RUN /opt/sluice/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
COPY --from=build /opt/sluice /opt/sluice
# The user owns nothing but its home, where the reports are written.
RUN useradd --create-home --uid 10001 --shell /usr/sbin/nologin sluice
USER sluice
WORKDIR /home/sluice
RUN mkdir reports
# A file and no SLUICE_* variables: those would win over the file that you mount or name with --config.
COPY deploy/docker/sluice.toml ./
ENV PATH=/opt/sluice/bin:$PATH \
    PYTHONUNBUFFERED=1
VOLUME /home/sluice/reports
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]
ENTRYPOINT ["sluice"]
CMD ["run"]
