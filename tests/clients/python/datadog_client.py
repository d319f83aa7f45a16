"""PyPI's datadog. VARIANT: udp, buffered, aggregated, unixgram, unix."""

import sys
import time

from datadog.dogstatsd.base import DogStatsd


def connect(variant, address):
    options = {"namespace": "m", "disable_buffering": variant == "udp",
               "disable_aggregation": variant != "aggregated"}
    if variant in ("unixgram", "unix"):
        scheme = "unixstream" if variant == "unix" else "unixgram"
        return DogStatsd(socket_path=f"{scheme}://{address}", socket_timeout=5, **options)
    host, port = address.split(":")
    return DogStatsd(host=host, port=int(port), **options)


def send(client, is_adding_up):
    client.increment("hits")
    client.count("bytes", 5)
    client.count("bytes", 7)
    for _ in range(3):
        client.decrement("stock")
    client.count("part", 2.5)
    client.increment("tagged", tags=["env:prod", "region:eu"])
    client.increment("größe")
    client.gauge("level", 42)
    client.gauge("ratio", 0.25)
    client.gauge("depth", -7)
    client.timing("login", 320)
    for elapsed in (10, 20, 60):
        client.timing("query", elapsed)
    client.timing("fraction", 1.5)
    with client.timed("block", use_ms=True):
        pass
    for size in (3, 5, 10):
        client.histogram("size", size)
    for spread in (1, 9):
        client.distribution("spread", spread)
    for user in ("ann", "bob", "ann", "cat"):
        client.set("users", user)
    for code in (200, 404, 200):
        client.set("codes", code)
    for _ in range(1000):
        if not is_adding_up:
            client.increment("drawn", sample_rate=0.5)
        client.timing("lap", 5, sample_rate=0.5)
    client.count_with_timestamp("stamped", 3, timestamp=int(time.time()) - 7200)
    client.event("deploy", "v2 is out")
    client.service_check("db", client.WARNING)


client = connect(*sys.argv[1:])
send(client, sys.argv[1] == "aggregated")
client.flush()
client.stop()
client.close_socket()
