// npm's dog-statsy. VARIANT: udp (several metrics a datagram).

const Client = require("dog-statsy");

const [host, port] = process.argv[3].split(":");
const client = new Client({ host, port: Number(port), prefix: "m" });

client.incr("hits");
client.count("bytes", 5);
client.count("bytes", 7);
for (let i = 0; i < 3; ++i) client.decr("stock");
client.count("part", 2.5);
client.incr("tagged", 1, ["env:prod", "region:eu"]);
client.incr("größe");
client.gauge("level", 42);
client.gauge("ratio", 0.25);
client.gauge("depth", -7);
client.gauge("queue", 100);
client.gauge("queue", "+5");
client.gauge("queue", -20);
client.timer("login", 320);
for (const elapsed of [10, 20, 60]) client.timer("query", elapsed);
client.timer("fraction", 1.5);
client.timer("block")();
for (const size of [3, 5, 10]) client.histogram("size", size);
for (const user of ["ann", "bob", "ann", "cat"]) client.set("users", user);
for (const code of [200, 404, 200]) client.set("codes", code);
// It leaves the drawing to its caller.
for (let i = 0; i < 1000; ++i) {
  if (Math.random() < 0.5) client.count("drawn", 1, 0.5);
}
client.flush();
// Nothing tells when a datagram is out; but those of one socket go out in order.
client.sock.send("", port, host, () => client.close());
