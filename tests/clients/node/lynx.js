// npm's lynx. VARIANT: udp.

const Lynx = require("lynx");

const [host, port] = process.argv[3].split(":");
const ignore = () => {};  // it reports each metric that sampling leaves out as an error
const client = new Lynx(host, Number(port), { scope: "m", on_error: ignore });

client.increment("hits");
client.count("bytes", 5);
client.count("bytes", 7);
for (let i = 0; i < 3; ++i) client.decrement("stock");
client.count("part", 2.5);
client.increment("größe");
client.send({ level: "42|g", ratio: "0.25|g", depth: "-7|g" });
client.gauge("queue", 100);
client.gauge("queue", "+5");
client.gauge("queue", -20);
client.timing("login", 320);
for (const elapsed of [10, 20, 60]) client.timing("query", elapsed);
client.timing("fraction", 1.5);
client.createTimer("block").stop();
for (const user of ["ann", "bob", "ann", "cat"]) client.set("users", user);
for (const code of [200, 404, 200]) client.set("codes", code);
for (let i = 0; i < 1000; ++i) {
  client.count("drawn", 1, 0.5);
  client.timing("lap", 5, 0.5);
}
// Left alone, it closes its socket after a second without use.
