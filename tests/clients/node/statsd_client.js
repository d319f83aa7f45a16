// npm's statsd-client. VARIANT: udp (several metrics a datagram), single, tcp.

const StatsDClient = require("statsd-client");

const [variant, address] = process.argv.slice(2);
const [host, port] = address.split(":");
const client = new StatsDClient({
  host, port: Number(port), prefix: "m", tcp: variant === "tcp",
  ...(variant === "single" ? { maxBufferSize: 0 } : {}),
});

client.increment("hits");
client.counter("bytes", 5);
client.counter("bytes", 7);
for (let i = 0; i < 3; ++i) client.decrement("stock");
client.counter("part", 2.5);
client.increment("tagged", 1, { env: "prod", region: "eu" });
client.increment("größe");
client.gauge("level", 42);
client.gauge("ratio", 0.25);
client.gauge("depth", -7);
client.gauge("queue", 100);
client.gaugeDelta("queue", 5);
client.gaugeDelta("queue", -20);
client.timing("login", 320);
for (const elapsed of [10, 20, 60]) client.timing("query", elapsed);
client.timing("fraction", 1.5);
client.timing("block", new Date());
for (const size of [3, 5, 10]) client.histogram("size", size);
for (const spread of [1, 9]) client.distribution("spread", spread);
for (const user of ["ann", "bob", "ann", "cat"]) client.set("users", user);
for (const code of [200, 404, 200]) client.set("codes", code);

// Its close() does nothing while no socket is open, and its timer, the only thing that flushes then, opens
// one; so close after the first round of that timer.
setTimeout(() => client.close(), 1500);
