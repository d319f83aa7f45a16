"""Debian's python3-statsd. VARIANT: udp, pipeline, tcp, unix."""

import sys

import statsd


def connect(variant, address):
    if variant == "unix":
        return statsd.UnixSocketStatsClient(socket_path=address, prefix="m")
    host, port = address.split(":")
    client = statsd.TCPStatsClient if variant == "tcp" else statsd.StatsClient
    return client(host, int(port), prefix="m")


def send(client):
    client.incr("hits")
    client.incr("bytes", 5)
    client.incr("bytes", 7)
    for _ in range(3):
        client.decr("stock")
    client.incr("part", 2.5)
    client.gauge("level", 42)
    client.gauge("ratio", 0.25)
    client.gauge("depth", -7)
    client.gauge("queue", 100)
    client.gauge("queue", 5, delta=True)
    client.gauge("queue", -20, delta=True)
    client.timing("login", 320)
    for elapsed in (10, 20, 60):
        client.timing("query", elapsed)
    client.timing("fraction", 1.5)
    with client.timer("block"):
        pass
    for _ in range(1000):
        client.incr("drawn", rate=0.5)
        client.timing("lap", 5, rate=0.5)
    for user in ("ann", "bob", "ann", "cat"):
        client.set("users", user)
    for code in (200, 404, 200):
        client.set("codes", code)


client = connect(*sys.argv[1:])
if sys.argv[1] == "pipeline":
    with client.pipeline() as pipeline:
        send(pipeline)
else:
    send(client)
client.close()
