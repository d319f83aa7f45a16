# tallyd and tallyd-demo in one image: the first stage compiles, the last holds what runs.
#
#     docker build -t tallyd . && docker run --rm -p 127.0.0.1:8125:8125/udp -e TALLYD_INFLUXDB_URL= tallyd
#
# conf/compose.yaml runs it beside InfluxDB and Grafana; scripts/image builds and tries it without Docker.

FROM debian:bookworm-slim AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      g++ meson ninja-build pkg-config \
      libcurl4-openssl-dev libcxxopts-dev libfmt-dev libisal-dev libjs-dygraphs libmicrohttpd-dev \
      libspdlog-dev libtomlplusplus-dev libuv1-dev libxxhash-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /tallyd
COPY . .
# Only the two programs: the tests are run by scripts/test, on the tree and not on the image.
RUN meson setup /build --prefix=/usr --sysconfdir=/etc --buildtype=release -Db_lto=true \
 && ninja -C /build src/tallyd src/tallyd-demo \
 && DESTDIR=/out meson install -C /build --no-rebuild --strip

FROM debian:bookworm-slim
# CA certificates are for an influxdb.url that starts with https.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates libcurl4 libfmt9 libisal2 libmicrohttpd12 libspdlog1.10 libstdc++6 libtomlplusplus3 \
      libuv1 libxxhash0 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/usr/bin/tallyd /out/usr/bin/tallyd-demo /usr/bin/
COPY --from=build /out/etc/tallyd/tallyd.toml /etc/tallyd/tallyd.toml

# A container's loopback is its own: the default, loopback only, would hear nobody. Who may send is
# decided where the port is published; StatsD has no authentication.
ENV TALLYD_LISTEN_UDP='["*:8125"]'
EXPOSE 8125/udp

# Where a volume may be put for TALLYD_SPOOL_DIRECTORY: a new one gets this owner.
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/tallyd
# By number, so that Kubernetes can see that it is not root. Nothing else in the image belongs to it.
USER 65532:65532

# Healthy means that every configured address is bound. A database that is down is no reason to
# restart the daemon that keeps the points for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/usr/bin/tallyd", "check", "--running"]

ENTRYPOINT ["/usr/bin/tallyd"]
