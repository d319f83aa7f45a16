// A backend of npm's statsd for the bench: prints how much each window counted as one line of JSON, and
// writes nothing else anywhere.

const fs = require("fs");

exports.init = (startup, config, events) => {
  events.on("flush", (time, { counters }) => {
    const counted = {
      packets: counters["statsd.packets_received"],
      lines: counters["statsd.metrics_received"],
      bad_lines: counters["statsd.bad_lines_seen"],
    };
    fs.writeSync(1, JSON.stringify(counted) + "\n");
  });
  return true;
};
