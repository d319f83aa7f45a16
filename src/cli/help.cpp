// The words of --help: an overview, and one for each verb. A test holds them to the table of verbs.

#include "cli/verbs.hpp"

namespace tally {
namespace {

constexpr std::string_view overview =
    R"(tallyd - a StatsD daemon: takes counters and timings by UDP, TCP and Unix sockets and writes
statistics to InfluxDB.

Usage:
  tallyd [run]             receive, aggregate, write; until SIGTERM or Ctrl-C

  tallyd config            show the effective configuration, and where each value came from
  tallyd check             try what the configuration names: sockets, receive buffer, spool, database
  tallyd explain 'LINE'    show what becomes of a line, and what would be written
  tallyd spool             show what waits on disk for the database
  tallyd top               watch a running tallyd: what arrives, what is lost, the busiest series
  tallyd tap 'api.*'       print lines as they arrive, and why some are refused
  tallyd send              send a counter, a gauge, a timing, an event; time a command
  tallyd capture FILE      write what arrives into a pcap file
  tallyd replay FILE       send the UDP datagrams of a pcap file
  tallyd grafana           write a dashboard for the metrics that were seen

Flags, of every verb (tallyd VERB --help tells the others):
  -c, --config FILE        read FILE; else /etc/tallyd/tallyd.toml if it exists, else the defaults
  --set KEY=VALUE          set one key of the configuration; can be given again
  --log-level LEVEL        trace, debug, info, warning, error or off; as --set log.level=LEVEL
  --version, -h, --help

Every key can also be set by the environment: TALLYD_FLUSH_INTERVAL=1s is flush.interval = "1s".
Order: defaults, file, environment, --set; the later one wins.

Examples:
  # Start with nothing but a terminal: each window is printed.
  tallyd --set influxdb.url=
  # Count a hit, from another terminal.
  tallyd send counter hits 1                # or: echo "hits:1|c" | nc -u -q0 127.0.0.1 8125
  # See how a line is read, and what would be written.
  tallyd explain 'response_time:12.5|ms|@0.1|#env:prod'

Exit status: 0 all well, 1 something failed, 2 the command line or the configuration is wrong.
)";

constexpr std::string_view config =
    R"(tallyd config - shows the effective configuration, each value with where it came from. Secrets are stars.

Examples:
  tallyd config
  TALLYD_FLUSH_INTERVAL=1s tallyd config -c my.toml --set log.level=debug
)";

constexpr std::string_view check =
    R"(tallyd check - tries what the configuration names: sockets, receive buffer, spool, and of InfluxDB
version, rights, database and field types. Nothing is written. Each finding is a line with its cure.

  --offline                read the configuration only
  --running                is a tallyd with this configuration running? (for health checks)
  --json                   all findings as one JSON object

Exit status: 0 all well, 1 there is something to mend, 2 the configuration is wrong.
)";

constexpr std::string_view explain =
    R"(tallyd explain 'LINE' - shows what becomes of a line, and the line protocol that would be written.
With - it reads lines from standard input.

  --json                   one JSON object a line

Exit status: 0, of refused lines too: it has explained them.

Examples:
  tallyd explain 'response_time:12.5|ms|@0.1|#env:prod'
  tallyd explain 'page.views:one|c'         # a refused line, with its reason
  tallyd explain --json - < lines
)";

constexpr std::string_view spool =
    R"(tallyd spool - shows what waits on disk for the database.

  tallyd spool [list]      each file, with what waits in it
  tallyd spool cat         the points that wait: | curl --data-binary @- 'URL/write?db=DB'
  tallyd spool dead        the lines that the database refused: reason, window, line
  tallyd spool retry-dead  let them wait again (with tallyd stopped)

Each takes a directory; else it is spool.directory, else $STATE_DIRECTORY/spool.
)";

constexpr std::string_view send =
    R"(tallyd send - sends to a StatsD daemon, and refuses what tallyd would refuse.

  tallyd send counter|gauge|timer|set|histogram|distribution NAME VALUE
  tallyd send event TITLE TEXT
  tallyd send time NAME -- COMMAND...     run a command, send how long it took (a timer in ms, tagged
                                          status=ok or failed); the exit status is the command's
  tallyd send -                           send the lines of standard input

  --to ADDRESS             udp://127.0.0.1:8125, tcp://.., unix:///run/tallyd/statsd.sock or
                           unix://@name; else the first listener of the configuration
  --rate R                 the sample rate: one of 1/R was sent
  --tag KEY:VALUE          add a tag; can be given again

Examples:
  tallyd send counter page.views 3 --tag env:prod
  tallyd send gauge queue -2                # moves it; queue 17 sets it
  tallyd send time backup.duration -- tar czf /backup/home.tgz /home

Exit status: 0 sent, 1 nobody listens or it could not be sent, 2 the line would be refused.
)";

constexpr std::string_view top =
    R"(tallyd top - watches a running tallyd: what arrives, what is lost, the busiest series.

  --once                   print one table and end
  --json                   print what it would show as one JSON object and end
  --by WHAT                rate, series, bytes, sender or tag: what the table begins with
  --sort ORDER             rate, name, last or bytes: order of the series
  --match PATTERN          series with this in their name, or that fit it with * and ?
                           (without it all but tallyd's own)
  --limit N                rows of --once and --json (20)
  --url URL                where it answers; else http.listen of the configuration
  --token-file FILE        with the token, if it asks for one; without --url http.token_file

Keys: 1 rate  2 series  3 bytes  4 senders  5 tags   r n l b sort   / filter   arrows scroll   q quit

Examples:
  tallyd top --match 'api.*'
  tallyd top --once --by tag                # which tag makes so many series?
)";

constexpr std::string_view tap =
    R"(tallyd tap ['PATTERN'] - prints lines as they arrive at a running tallyd, whose names fit the pattern
(* and ?) or hold it. Never slows receiving: what is too much is skipped, and it says how much.

  --refused                only lines that were refused, with the reason
  --sender TEXT            only of senders with this in their name, such as 10.0.0.5
  --limit N                end after N lines
  --url URL                where it answers; else http.listen of the configuration
  --token-file FILE        with the token, if it asks for one; without --url http.token_file

Examples:
  tallyd tap 'api.*' --limit 10
  tallyd tap --refused
)";

constexpr std::string_view capture =
    R"(tallyd capture FILE - writes what arrives at a running tallyd into a classic pcap file ("-" is standard
output). tcpdump, Wireshark and tallyd replay read it. Ends after a minute, 64 MiB or Ctrl-C.

  --seconds N              end after N seconds, at most 3,600
  --bytes SIZE             end after so much: 64MiB
  --url URL                where it answers; else http.listen of the configuration
  --token-file FILE        with the token, if it asks for one; without --url http.token_file

Examples:
  tallyd capture statsd.pcap --seconds 10
  tallyd capture - | tcpdump -A -r -
)";

constexpr std::string_view replay =
    R"(tallyd replay FILE - sends the UDP datagrams of a classic pcap file ("-" is standard input), which
tallyd capture or tcpdump -w wrote, in their own pace.

  --to ADDRESS             udp://127.0.0.1:8125, tcp://.., unix:///run/tallyd/statsd.sock or
                           unix://@name; else the first listener of the configuration
  --port N                 only those that went to this port; else all
  --speed FACTOR           2 is twice as fast, 0.5 half, max without a pause: a receiver may then
                           drop some
  --limit N                end after N datagrams

Examples:
  tcpdump -i any -w statsd.pcap udp port 8125
  tallyd replay statsd.pcap --speed max --to udp://127.0.0.1:9125
)";

constexpr std::string_view grafana =
    R"(tallyd grafana - asks a running tallyd for the metrics that it has seen, and writes a Grafana dashboard
for them: import it, and choose the data source.

  --output FILE            write to FILE; else to standard output
  --title TEXT             title of the dashboard
  --language NAME          influxql, flux, sql or metricsql (VictoriaMetrics); else what suits the
                           database that tallyd writes to
  --limit N                panels at most (60); the busiest metrics come first
  --url URL                where it answers; else http.listen of the configuration
  --token-file FILE        with the token, if it asks for one; without --url http.token_file

Example:
  tallyd grafana --title 'Web shop' --output shop.json
)";

std::string_view text_of(Verb verb) {
  switch (verb) {
    case Verb::run:
      return overview;
    case Verb::config:
      return config;
    case Verb::check:
      return check;
    case Verb::explain:
      return explain;
    case Verb::spool:
      return spool;
    case Verb::send:
      return send;
    case Verb::top:
      return top;
    case Verb::tap:
      return tap;
    case Verb::capture:
      return capture;
    case Verb::replay:
      return replay;
    case Verb::grafana:
      return grafana;
  }
  return overview;  // not reached: the switch is complete
}

}  // namespace

std::string help_text(Verb verb) {
  return std::string(text_of(verb));
}

}  // namespace tally
