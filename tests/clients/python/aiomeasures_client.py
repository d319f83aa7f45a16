"""Debian's python3-aiomeasures. VARIANT: statsd, datadog."""

import asyncio
import sys

import aiomeasures


async def send(client):
    client.incr("hits")
    client.counter("bytes", 5)
    client.counter("bytes", 7)
    for _ in range(3):
        client.decr("stock")
    client.counter("part", 2.5)
    client.incr("tagged", tags={"env": "prod", "region": "eu"})
    client.incr("größe")
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
    for size in (3, 5, 10):
        client.histogram("size", size)
    for user in ("ann", "bob", "ann", "cat"):
        client.set("users", user)
    for code in (200, 404, 200):
        client.set("codes", code)
    await asyncio.sleep(0)
    for _ in range(1000):
        client.incr("drawn", rate=0.5)
        await drain(client)
        client.timing("lap", 5, rate=0.5)
        await drain(client)


# It draws once for all that waits: without this the thousand would be sent all or not at all.
async def drain(client):
    while client.collector:
        await asyncio.sleep(0)


async def main():
    variant, address = sys.argv[1:]
    kind = aiomeasures.Datadog if variant == "datadog" else aiomeasures.StatsD
    client = kind(f"udp://{address}", prefix="m")
    await send(client)
    await drain(client)
    client.close()


asyncio.run(main())
