// npm's node-statsd. VARIANT: udp.

const StatsD = require("node-statsd");

const [host, port] = process.argv[3].split(":");
const client = new StatsD({ host, port: Number(port), prefix: "m." });

let waiting = 0;
const sent = () => { if (--waiting === 0) client.close(); };
// Its callback is not called for what sampling leaves out; so those are sent first, without one.
for (let i = 0; i < 1000; ++i) {
  client.increment("drawn", 1, 0.5);
  client.timing("lap", 5, 0.5);
}
const send = (method, ...args) => { ++waiting; client[method](...args, sent); };

send("increment", "hits", 1);
send("increment", "bytes", 5);
send("increment", "bytes", 7);
for (let i = 0; i < 3; ++i) send("decrement", "stock", 1);
send("increment", "part", 2.5);
send("increment", "tagged", 1, ["env:prod", "region:eu"]);
send("increment", "größe", 1);
send("gauge", "level", 42);
send("gauge", "ratio", 0.25);
send("gauge", "depth", -7);
send("gauge", "queue", 100);
send("gauge", "queue", "+5");
send("gauge", "queue", -20);
send("timing", "login", 320);
for (const elapsed of [10, 20, 60]) send("timing", "query", elapsed);
send("timing", "fraction", 1.5);
for (const size of [3, 5, 10]) send("histogram", "size", size);
for (const user of ["ann", "bob", "ann", "cat"]) send("set", "users", user);
for (const code of [200, 404, 200]) send("unique", "codes", code);
