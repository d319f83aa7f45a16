// npm's hot-shots. VARIANT: plain, telegraf, datadog, buffered, aggregated, tcp, unixgram.

const StatsD = require("hot-shots");

const [variant, address] = process.argv.slice(2);
const [host, port] = address.split(":");

const transport = variant === "unixgram"
  ? { protocol: "uds", path: address }
  : { protocol: variant === "tcp" ? "tcp" : "udp", host, port: Number(port) };
const mode = {
  telegraf: { telegraf: true },
  datadog: { datadog: true, containerID: "c0ffee", cardinality: "low" },
  buffered: { maxBufferSize: 1400 },
  aggregated: { aggregation: true },
}[variant] || {};
const client = new StatsD({ prefix: "m", datadog: false, ...transport, ...mode });

client.increment("hits");
client.increment("bytes", 5);
client.increment("bytes", 7);
for (let i = 0; i < 3; ++i) client.decrement("stock");
client.increment("part", 2.5);
client.increment("tagged", 1, { env: "prod", region: "eu" });
if (variant !== "tcp") client.increment("größe");  // it would go out as Latin-1
client.gauge("level", 42);
client.gauge("ratio", 0.25);
client.gauge("depth", -7);
client.gauge("queue", 100);
client.gaugeDelta("queue", 5);
client.gaugeDelta("queue", -20);
client.timing("login", 320);
for (const elapsed of [10, 20, 60]) client.timing("query", elapsed);
client.timing("fraction", 1.5);
client.timer(() => {}, "block")();
for (const size of [3, 5, 10]) client.histogram("size", size);
for (const spread of [1, 9]) client.distribution("spread", spread);
for (const user of ["ann", "bob", "ann", "cat"]) client.set("users", user);
for (const code of [200, 404, 200]) client.unique("codes", code);
for (let i = 0; i < 1000; ++i) {
  client.increment("drawn", 1, 0.5);
  client.timing("lap", 5, 0.5);
}
if (variant !== "telegraf") {
  client.increment("stamped", 3, { timestamp: Math.floor(Date.now() / 1000) - 7200 });
  client.event("deploy", "v2 is out");
  client.check("db", client.CHECKS.WARNING);
}
client.close();
