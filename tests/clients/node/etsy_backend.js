// A backend of npm's statsd that writes each flush as JSON over the one before. Into a file and at once: the
// last flush happens while the process exits, and node takes of a pipe no more than has room.

const fs = require("fs");

exports.init = (startup, config, events) => {
  events.on("flush", (time, metrics) => {
    const sets = Object.fromEntries(
      Object.entries(metrics.sets).map(([name, set]) => [name, set.size()]));
    const { counters, counter_rates, gauges, timer_data } = metrics;
    fs.writeFileSync(config.flushFile, JSON.stringify({ counters, counter_rates, gauges, timer_data, sets }));
  });
  return true;
};
