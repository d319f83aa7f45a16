#include "cli/options.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

using namespace tally;

using Given = std::vector<std::string>;

TEST_CASE("options: what is given is read") {
  struct Row {
    std::string_view name;
    Given given;
    Options expected;
  };
  const std::vector<Row> rows = {
      {"nothing", {}, {}},
      {"run", {"run"}, {}},
      {"config file", {"-c", "a.toml"}, {.config_file = "a.toml"}},
      {"config file, long", {"--config", "a.toml"}, {.config_file = "a.toml"}},
      {"config file, joined", {"--config=a.toml"}, {.config_file = "a.toml"}},
      {"empty config file", {"--config", ""}, {.config_file = ""}},
      {"verb and flags in any order",
       {"-c", "a", "config", "--set", "x=1"},
       {.verb = Verb::config, .config_file = "a", .sets = {"x=1"}}},
      {"commas and equals signs in --set",
       {"--set", "listen.udp=[\"a:1\",\"b:2\"]", "--set=tags.a=b=c,d", "--set", "influxdb.url="},
       {.sets = {"listen.udp=[\"a:1\",\"b:2\"]", "tags.a=b=c,d", "influxdb.url="}}},
      {"log level",
       {"--log-level", "debug", "--set", "log.level=off"},
       {.sets = {"log.level=off", "log.level=debug"}, .log_level = "debug"}},
      {"check", {"check"}, {.verb = Verb::check}},
      {"check --offline",
       {"check", "--offline"},
       {.verb = Verb::check, .arguments = {.flags = {{"offline", {""}}}}}},
      {"check --running",
       {"--running", "check"},
       {.verb = Verb::check, .arguments = {.flags = {{"running", {""}}}}}},
      {"explain", {"explain", "a:1|c"}, {.verb = Verb::explain, .arguments = {.words = {"a:1|c"}}}},
      {"explain a line with commas",
       {"explain", "a,b=c,d=e:1|c|#x,y"},
       {.verb = Verb::explain, .arguments = {.words = {"a,b=c,d=e:1|c|#x,y"}}}},
      {"explain an empty line",
       {"explain", ""},
       {.verb = Verb::explain, .arguments = {.words = {""}}}},
      {"explain --json -",
       {"explain", "--json", "-"},
       {.verb = Verb::explain, .arguments = {.words = {"-"}, .flags = {{"json", {""}}}}}},
      {"check --json",
       {"check", "--json"},
       {.verb = Verb::check, .arguments = {.flags = {{"json", {""}}}}}},
      {"explain - --json",
       {"explain", "-", "--json"},
       {.verb = Verb::explain, .arguments = {.words = {"-"}, .flags = {{"json", {""}}}}}},
      {"a line that begins like a flag",
       {"explain", "--", "--a:1|c"},
       {.verb = Verb::explain, .arguments = {.words = {"--a:1|c"}}}},
      {"spool", {"spool"}, {.verb = Verb::spool}},
      {"spool cat of a directory",
       {"spool", "cat", "/var/spool/x"},
       {.verb = Verb::spool, .arguments = {.words = {"cat", "/var/spool/x"}}}},
      {"a negative number is a word",
       {"send", "gauge", "queue", "-3.5", "--tag", "a:b", "--tag=c:d"},
       {.verb = Verb::send,
        .arguments = {.words = {"gauge", "queue", "-3.5"}, .flags = {{"tag", {"a:b", "c:d"}}}}}},
      {"a negative number is a value",
       {"send", "-", "--rate", "-.5"},
       {.verb = Verb::send, .arguments = {.words = {"-"}, .flags = {{"rate", {"-.5"}}}}}},
      {"all is a word behind --",
       {"send", "time", "x", "--rate", "1", "--", "ls", "-l", "-1", "--help", "--", "-"},
       {.verb = Verb::send,
        .arguments = {.words = {"time", "x", "ls", "-l", "-1", "--help", "--", "-"},
                      .flags = {{"rate", {"1"}}}}}},
      {"a flag that is taken back", {"top", "--once=false"}, {.verb = Verb::top}},
      {"help of a verb", {"send", "time", "--help"}, {.verb = Verb::send, .wants_help = true}},
      {"help", {"-h"}, {.wants_help = true}},
      {"help whatever else", {"nonsense", "--help", "--more"}, {.wants_help = true}},
      {"version", {"--version"}, {.wants_version = true}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Result<Options> options = parse_options(row.given);
    if (!options) FAIL_CHECK(options.error().message);
    if (options) CHECK(options.value() == row.expected);
  }
}

TEST_CASE("options: a slip is one line that says what was probably meant") {
  struct Row {
    std::string_view name;
    Given given;
    std::string_view message;
  };
  const std::vector<Row> rows = {
      {"verb", {"cofnig"}, R"(unknown verb "cofnig"; did you mean "config"?)"},
      {"verb far off", {"start-me-up"}, R"(unknown verb "start-me-up"; see tallyd --help)"},
      {"verb with foreign bytes", {"\x1b[2J"}, R"(unknown verb "\x1B[2J"; see tallyd --help)"},
      {"a word too many for spool", {"spool", "cat", "a", "b"}, R"(one word too many: "b")"},
      {"flag", {"--confg", "x"}, R"(unknown flag "--confg"; did you mean "--config"?)"},
      {"flag with a value",
       {"--log-levl=x"},
       R"(unknown flag "--log-levl"; did you mean "--log-level"?)"},
      {"flag far off", {"--daemonise"}, R"(unknown flag "--daemonise"; see tallyd --help)"},
      {"short flag", {"-x"}, R"(unknown flag "-x"; did you mean "-c"?)"},
      {"two verbs", {"check", "config"}, R"(one word too many: "config")"},
      {"a line without quotes",
       {"explain", "a:1", "|c"},
       R"(one word too many: "|c"; put the line in quotes, 'name:1|c')"},
      {"explain what",
       {"explain"},
       "explain needs a line, such as tallyd explain 'hits:1|c', or - for standard input"},
      {"offline run", {"--offline"}, "--offline belongs to tallyd check"},
      {"running config", {"config", "--running"}, "--running belongs to tallyd check"},
      {"json config",
       {"config", "--json"},
       "--json belongs to tallyd check, tallyd explain, tallyd top"},
      {"a flag of two verbs",
       {"run", "--to", "udp://127.0.0.1:1"},
       "--to belongs to tallyd send, tallyd replay"},
      {"nothing to send",
       {"send"},
       "send what? such as tallyd send counter hits 1; see tallyd send --help"},
      {"both checks",
       {"check", "--offline", "--running"},
       "--offline and --running exclude each other"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Result<Options> options = parse_options(row.given);
    REQUIRE_FALSE(options);
    CHECK(options.error().message == row.message);
  }
}

TEST_CASE("options: a flag without its value is an error that names it") {
  for (const Given& given : {Given{"--config"}, Given{"--set"}, Given{"--json=perhaps"}}) {
    const Result<Options> options = parse_options(given);
    REQUIRE_FALSE(options);
    CHECK(options.error().message.ends_with("; see tallyd --help"));
    CHECK(options.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("options: the overview names every verb and common flag, and fits a terminal") {
  const std::string help = help_text(Verb::run);
  for (const VerbRow& row : all_verbs()) {
    CAPTURE(row.name);
    CHECK(help.find(row.verb == Verb::run ? "tallyd [run]" : "tallyd " + std::string(row.name)) !=
          std::string::npos);
  }
  for (const std::string_view word : {"-c, --config", "--set", "--log-level", "--version", "--help",
                                      "| nc -u", "/etc/tallyd/tallyd.toml", "TALLYD_"}) {
    CAPTURE(word);
    CHECK(help.find(word) != std::string::npos);
  }
}

TEST_CASE("options: the help of a verb names its flags, no others, and fits a terminal") {
  for (const VerbRow& row : all_verbs()) {
    CAPTURE(row.name);
    const std::string help = help_text(row.verb);
    for (const FlagRow& flag : all_flags()) {
      CAPTURE(flag.name);
      std::string entry = "  --" + std::string(flag.name);
      if (!flag.letter.empty()) entry = "-" + std::string(flag.letter) + "," + entry.substr(1);
      entry += flag.value.empty() ? "" : " " + std::string(flag.value);
      const bool is_named = help.find(entry + " ") != std::string::npos ||
                            help.find(entry + "\n") != std::string::npos ||
                            help.find(entry.substr(2) + ",") != std::string::npos;
      const bool is_common = takes(row_of(Verb::run), flag.name);
      CHECK(is_named == (takes(row, flag.name) && is_common == (row.verb == Verb::run)));
    }
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 105);
  }
}

TEST_CASE("arguments: a number is whole and within its range, or the error says what is allowed") {
  const Arguments arguments{.flags = {{"limit", {"7", "20"}}, {"port", {"0"}}, {"bytes", {"1k"}}}};
  const NumberRange range{.otherwise = 5, .least = 1, .most = 65'535};
  CHECK(arguments.number("limit", range).value() == 20);  // the last one
  CHECK(arguments.number("seconds", range).value() == 5);
  CHECK(arguments.number("port", range).error().message ==
        "--port wants a whole number from 1 to 65,535, not \"0\"");
  CHECK_FALSE(arguments.number("bytes", range));
}

TEST_CASE("arguments: a choice is the first name unless another is given") {
  const Arguments arguments{.flags = {{"by", {"tag"}}, {"sort", {"nmae"}}}};
  CHECK(arguments.choice("by", {"rate", "tag"}).value() == "tag");
  CHECK(arguments.choice("kind", {"rate", "tag"}).value() == "rate");
  CHECK(arguments.choice("sort", {"rate", "name"}).error().message ==
        "--sort knows rate, name, not \"nmae\"");
}
