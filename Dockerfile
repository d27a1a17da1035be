# docker build --target cpu  -t shiftcli .
# docker build --target cuda -t shiftcli:cuda .
# docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/work" shiftcli predict structure.cif
# docker run --rm --gpus all -u "$(id -u):$(id -g)" -v "$PWD:/work" shiftcli:cuda predict structure.cif

FROM python:3.11-slim AS wheel
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir -c constraints.txt hatchling \
    && pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && cp constraints.txt /dist

FROM python:3.11-slim AS base
# Networks that are downloaded stay in the volume; whoever runs the image may write there.
RUN useradd --create-home shiftcli && install -d -m 1777 /cache && install -d -o shiftcli /work
ENV SHIFTCLI_CACHE=/cache
VOLUME /cache
WORKDIR /work
ENTRYPOINT ["shiftcli"]
CMD ["--help"]

FROM base AS cuda
# PyTorch from PyPI brings CUDA with it; the driver comes from the host.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN --mount=from=wheel,source=/dist,target=/dist \
    pip install --no-cache-dir -c /dist/constraints.txt /dist/*.whl
USER shiftcli

FROM base AS cpu
RUN --mount=from=wheel,source=/dist,target=/dist \
    pip install --no-cache-dir -c /dist/constraints.txt \
    --extra-index-url https://download.pytorch.org/whl/cpu /dist/*.whl
USER shiftcli
