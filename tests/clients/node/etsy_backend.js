// A backend of npm's statsd that prints each flush as one line of JSON. Written at once: the last flush
// happens while the process exits.

const fs = require("fs");

exports.init = (startup, config, events) => {
  events.on("flush", (time, metrics) => {
    const sets = Object.fromEntries(
      Object.entries(metrics.sets).map(([name, set]) => [name, set.size()]));
    const { counters, counter_rates, gauges, timer_data } = metrics;
    fs.writeSync(1, JSON.stringify({ counters, counter_rates, gauges, timer_data, sets }) + "\n");
  });
  return true;
};
