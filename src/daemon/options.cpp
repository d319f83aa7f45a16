#include "daemon/options.hpp"

// cxxopts would cut `--set listen.udp=["a","b"]` at its comma; an argument cannot hold a NUL.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#include <cxxopts.hpp>

#include <array>
#include <string_view>
#include <utility>

#include "tally/text.hpp"

namespace tally {
namespace {

constexpr std::array<std::string_view, 5> verb_names = {"run", "config", "check", "explain",
                                                        "spool"};
constexpr std::array<std::string_view, 4> spool_names = {"list", "cat", "dead", "retry-dead"};

constexpr std::array<std::string_view, 10> flag_names = {
    "-c",     "--config",  "--set",     "--log-level", "--version",
    "--help", "--offline", "--running", "--json",      "-h"};

cxxopts::Options known_options() {
  cxxopts::Options options("tallyd");
  options.add_options()                                          //
      ("c,config", "", cxxopts::value<std::string>())            //
      ("set", "", cxxopts::value<std::vector<std::string>>())    //
      ("log-level", "", cxxopts::value<std::string>())           //
      ("offline", "")("running", "")("json", "")("version", "")  //
      ("h,help", "")                                             //
      ("words", "", cxxopts::value<std::vector<std::string>>());
  options.parse_positional("words");
  // So that unknown flags come back as a list, and can be compared with the known ones.
  options.allow_unrecognised_options();
  return options;
}

std::string did_you_mean(std::string_view near) {
  return near.empty() ? "; see tallyd --help" : "; did you mean \"" + std::string(near) + "\"?";
}

Error unknown_flag(const std::string& flag) {
  const std::string name = flag.substr(0, flag.find('='));
  return Error{"unknown flag " + quote(name, 80) + did_you_mean(nearest(name, flag_names))};
}

Result<Verb> parse_verb(const std::string& word) {
  if (word == "run") return Verb::run;
  if (word == "config") return Verb::config;
  if (word == "check") return Verb::check;
  if (word == "explain") return Verb::explain;
  if (word == "spool") return Verb::spool;
  return Error{"unknown verb " + quote(word, 80) + did_you_mean(nearest(word, verb_names))};
}

Result<SpoolAction> parse_spool_action(const std::string& word) {
  if (word == "list") return SpoolAction::list;
  if (word == "cat") return SpoolAction::cat;
  if (word == "dead") return SpoolAction::dead;
  if (word == "retry-dead") return SpoolAction::retry_dead;
  return Error{"tallyd spool cannot " + quote(word, 80) + did_you_mean(nearest(word, spool_names))};
}

std::size_t words_max(Verb verb) {
  if (verb == Verb::spool) return 3;
  return verb == Verb::explain ? 2 : 1;
}

/// The words behind `explain`.
Status read_line(const std::vector<std::string>& words, Options& options) {
  if (words.size() == 1)
    return Error{
        "explain needs a line, such as tallyd explain 'hits:1|c', or - for standard input"};
  options.line = words[1];
  return {};
}

/// The words behind `spool`.
Status read_spool(const std::vector<std::string>& words, Options& options) {
  if (words.size() > 1) {
    const Result<SpoolAction> action = parse_spool_action(words[1]);
    if (!action) return action.error();
    options.spool_action = action.value();
  }
  if (words.size() > 2) options.spool_root = words[2];
  return {};
}

/// The words of the command line that are no flags: a verb, and what it is about.
Status read_words(const std::vector<std::string>& words, Options& options) {
  if (words.empty()) return {};
  const Result<Verb> verb = parse_verb(words[0]);
  if (!verb) return verb.error();
  options.verb = verb.value();
  const std::size_t most = words_max(options.verb);
  if (words.size() > most)
    return Error{"one word too many: " + quote(words[most], 80) +
                 (options.verb == Verb::explain ? "; put the line in quotes, 'name:1|c'" : "")};
  if (options.verb == Verb::explain) return read_line(words, options);
  if (options.verb == Verb::spool) return read_spool(words, options);
  return {};
}

/// Flags that mean something to one verb only.
Status check_flags(const Options& options) {
  const bool is_check = options.verb == Verb::check;
  if (options.offline && !is_check) return Error{"--offline belongs to tallyd check"};
  if (options.running && !is_check) return Error{"--running belongs to tallyd check"};
  if (options.offline && options.running)
    return Error{"--offline and --running exclude each other"};
  if (options.json && !is_check && options.verb != Verb::explain)
    return Error{"--json belongs to tallyd explain and tallyd check"};
  return {};
}

Result<Options> read(const cxxopts::ParseResult& parsed) {
  Options options;
  options.wants_help = parsed.count("help") > 0;
  options.wants_version = parsed.count("version") > 0;
  if (options.wants_help || options.wants_version) return options;
  if (!parsed.unmatched().empty()) return unknown_flag(parsed.unmatched().front());

  if (parsed.count("config") > 0) options.config_file = parsed["config"].as<std::string>();
  if (parsed.count("set") > 0) options.sets = parsed["set"].as<std::vector<std::string>>();
  if (parsed.count("log-level") > 0) {
    options.log_level = parsed["log-level"].as<std::string>();
    options.sets.push_back("log.level=" + options.log_level);
  }
  options.offline = parsed.count("offline") > 0;
  options.running = parsed.count("running") > 0;
  options.json = parsed.count("json") > 0;
  if (parsed.count("words") > 0)
    if (Status error = read_words(parsed["words"].as<std::vector<std::string>>(), options))
      return *error;
  if (Status error = check_flags(options)) return *error;
  return options;
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv = {"tallyd"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  cxxopts::Options known = known_options();
  try {
    return read(known.parse(static_cast<int>(argv.size()), argv.data()));
  } catch (const cxxopts::exceptions::exception& error) {
    return Error{std::string(error.what()) + "; see tallyd --help"};
  }
}

std::string help_text() {
  return R"(tallyd - a StatsD daemon: takes counters and timings by UDP, TCP and Unix sockets and writes
statistics to InfluxDB.

Usage:
  tallyd [run]             receive, aggregate, write; until SIGTERM or Ctrl-C
  tallyd config            show the effective configuration, and where each value came from
  tallyd check             try what the configuration names: sockets, receive buffer, spool, and of
                           InfluxDB version, rights, database, field types; nothing is written
  tallyd explain 'LINE'    show what becomes of a line, and what would be written
  tallyd spool [list]      show what waits on disk for the database
  tallyd spool cat         print the points that wait: | curl --data-binary @- 'URL/write?db=DB'
  tallyd spool dead        print the lines that the database refused: reason, window, line
  tallyd spool retry-dead  let them wait again (with tallyd stopped)
                           Each takes a directory; else it is $STATE_DIRECTORY/spool.

Flags:
  -c, --config FILE        read FILE; else /etc/tallyd/tallyd.toml if it exists, else the defaults
  --set KEY=VALUE          set one key of the configuration; can be given again
  --log-level LEVEL        trace, debug, info, warning, error or off; as --set log.level=LEVEL
  --offline                check: read the configuration only
  --running                check: is a tallyd with this configuration running? (for health checks)
  --json                   explain: one JSON object a line; explain --json - reads lines from
                           standard input. check: all findings as one JSON object
  --version, -h, --help

Every key can also be set by the environment: TALLYD_FLUSH_INTERVAL=1s is flush.interval = "1s".
Order: defaults, file, environment, --set; the later one wins.

Examples:
  # Start with nothing but a terminal: each window is printed.
  tallyd --set influxdb.url=
  # Count a hit, from another terminal.
  echo "hits:1|c" | nc -u -q0 127.0.0.1 8125
  # See how a line is read, and what would be written.
  tallyd explain 'response_time:12.5|ms|@0.1|#env:prod'

Exit status: 0 all well, 1 something failed, 2 the command line or the configuration is wrong.
)";
}

}  // namespace tally
