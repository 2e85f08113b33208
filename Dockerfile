# syntax=docker/dockerfile:1

# A node in a container. Everything it is lives in /data: its keys, its store, the
# address and token of its API. The same volume is the same node; nothing else is
# written to, so it runs with --read-only.
#
#   docker build -t starling .
#   docker run -d --name starling -v starling:/data -p 4001:4001 -p 4001:4001/udp starling
#   docker exec starling /starling id

# Built on the machine's own architecture, whatever the target's.
FROM --platform=$BUILDPLATFORM golang:1.26.8-trixie AS build
WORKDIR /src
COPY . .
ARG TARGETOS TARGETARCH
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags='-s -w' -o /out/starling ./cmd/starling
# A new volume takes over the owner and mode of the folder it covers.
RUN install -d -m 0700 /out/data /out/shared

FROM scratch
LABEL org.opencontainers.image.title="Starling" \
      org.opencontainers.image.description="A node of a peer-to-peer social network" \
      org.opencontainers.image.source="https://github.com/starling-social/starling" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY LICENSE-MIT LICENSE-APACHE /
COPY --from=build /out/starling /starling
COPY --from=build --chown=65532:65532 /out/data /data
# For what nodes of one machine tell each other: see compose.yaml.
COPY --from=build --chown=65532:65532 /out/shared /shared

# Numbers, so that an orchestrator can see that it is not root.
USER 65532:65532
# For `run` and for every command started beside it.
ENV STARLING_DATA=/data
# Announces and dials no private addresses: say with STARLING_NETWORK__ANNOUNCE where the
# published port is reached if others cannot tell. For a network on one machine: local.
ENV STARLING_PROFILE=server
VOLUME /data
# TCP and WebSocket; QUIC, WebTransport and WebRTC. Metrics are served where
# STARLING_ADMIN__LISTEN says; without it nowhere.
EXPOSE 4001/tcp 4001/udp

# A first start looks for a node key that solves the network's puzzle before it
# answers: minutes on a small machine.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10m --start-interval=5s --retries=3 \
    CMD ["/starling", "healthcheck"]
ENTRYPOINT ["/starling"]
CMD ["run"]
