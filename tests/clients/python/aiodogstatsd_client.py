"""Debian's python3-aiodogstatsd. VARIANT: udp."""

import asyncio
import sys

import aiodogstatsd


def send(client):
    client.increment("hits")
    client.increment("bytes", value=5)
    client.increment("bytes", value=7)
    for _ in range(3):
        client.decrement("stock")
    client.increment("part", value=2.5)
    client.increment("tagged", tags={"env": "prod", "region": "eu"})
    client.increment("größe")
    client.gauge("level", value=42)
    client.gauge("ratio", value=0.25)
    client.gauge("depth", value=-7)
    client.timing("login", value=320)
    for elapsed in (10, 20, 60):
        client.timing("query", value=elapsed)
    client.timing("fraction", value=1.5)
    with client.timeit("block"):
        pass
    for size in (3, 5, 10):
        client.histogram("size", value=size)
    for spread in (1, 9):
        client.distribution("spread", value=spread)
    for _ in range(1000):
        client.increment("drawn", sample_rate=0.5)
        client.timing("lap", value=5, sample_rate=0.5)


async def main():
    host, port = sys.argv[2].split(":")
    async with aiodogstatsd.Client(host=host, port=int(port), namespace="m") as client:
        send(client)


asyncio.run(main())
