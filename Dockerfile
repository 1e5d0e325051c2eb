# syntax=docker/dockerfile:1
#   docker build --target cpu -t antiphon .        the bundled model, no GPU
#   docker build --target gpu -t antiphon:gpu .    VITA checkpoints, mounted at /model
#   docker build --target vllm -t antiphon:vllm .  the same on vLLM
ARG PYTHON=3.11-slim-bookworm

# ---- what the images cpu and gpu have: the locked packages and the project, in one environment of its own
FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/antiphon
COPY requirements/ requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/antiphon/bin/pip install --no-deps --require-hashes -r requirements/image.lock
COPY pyproject.toml README.md LICENSE ./
COPY audio/ audio/
COPY models/ models/
COPY duplex/ duplex/
COPY server/ server/
RUN --mount=type=cache,target=/root/.cache/pip /opt/antiphon/bin/pip install --no-deps .

# ---- without what this server never loads
FROM build AS build-cpu
COPY deploy/slim.py /build/slim.py
RUN python /build/slim.py /opt/antiphon

# ---- torch beside it; its wheels bring the CUDA libraries, the host only the driver
FROM build AS build-gpu
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/antiphon/bin/pip install torch==2.13.0 \
    && /opt/antiphon/bin/pip install --constraint requirements/dev.lock safetensors transformers

# ---- vLLM in an environment of its own, by a lock of its own
FROM python:${PYTHON} AS build-vllm
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/antiphon
COPY requirements/vllm.lock requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/antiphon/bin/pip install --no-deps --require-hashes -r requirements/vllm.lock
COPY pyproject.toml README.md LICENSE ./
COPY audio/ audio/
COPY models/ models/
COPY duplex/ duplex/
COPY server/ server/
RUN --mount=type=cache,target=/root/.cache/pip /opt/antiphon/bin/pip install --no-deps .

# ---- how all run: no root, nothing to write
FROM python:${PYTHON} AS base
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin antiphon
COPY deploy/healthcheck.py /usr/local/bin/healthcheck.py
ENV PATH=/opt/antiphon/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ANTIPHON_HOST=0.0.0.0 \
    ANTIPHON_PORT=8080 \
    ANTIPHON_DRAIN__SECONDS=1800
WORKDIR /tmp
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=4s --start-period=60s --retries=3 \
    CMD ["python", "/usr/local/bin/healthcheck.py"]
ENTRYPOINT ["antiphon"]

FROM base AS gpu
COPY --from=build-gpu /opt/antiphon /opt/antiphon
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME /model
CMD ["serve", "--engine", "pytorch", "--model", "/model"]

FROM base AS vllm
COPY --from=build-vllm /opt/antiphon /opt/antiphon
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME /model
CMD ["serve", "--engine", "vllm", "--model", "/model"]

# The last stage is what a plain `docker build .` makes.
FROM base AS cpu
COPY --from=build-cpu /opt/antiphon /opt/antiphon
CMD ["serve"]
