#include "cli/verbs.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace tally {
namespace {

constexpr std::size_t any = std::numeric_limits<std::size_t>::max();

constexpr std::string_view common_flags = "config set log-level version help";

constexpr std::array<FlagRow, 27> flags = {{
    {"config", "FILE", "c"},
    {"set", "KEY=VALUE"},
    {"log-level", "LEVEL"},
    {"version"},
    {"help", "", "h"},
    // Of single verbs.
    {"offline"},
    {"running"},
    {"json"},
    {"to", "ADDRESS"},
    {"rate", "R"},
    {"tag", "KEY:VALUE"},
    {"url", "URL"},
    {"token-file", "FILE"},
    {"once"},
    {"by", "WHAT"},
    {"sort", "ORDER"},
    {"match", "PATTERN"},
    {"limit", "N"},
    {"refused"},
    {"sender", "TEXT"},
    {"seconds", "N"},
    {"bytes", "SIZE"},
    {"speed", "FACTOR"},
    {"port", "N"},
    {"output", "FILE"},
    {"title", "TEXT"},
    {"language", "NAME"},
}};

constexpr std::array<VerbRow, 11> verbs = {{
    {.verb = Verb::run, .name = "run"},
    {.verb = Verb::config, .name = "config"},
    {.verb = Verb::check,
     .name = "check",
     .flags = "offline running json",
     .one_of = "offline running"},
    {.verb = Verb::explain,
     .name = "explain",
     .flags = "json",
     .words_min = 1,
     .words_max = 1,
     .too_few = "explain needs a line, such as tallyd explain 'hits:1|c', or - for standard input",
     .too_many = "; put the line in quotes, 'name:1|c'"},
    {.verb = Verb::spool, .name = "spool", .words_max = 2},
    {.verb = Verb::send,
     .name = "send",
     .flags = "to rate tag",
     .words_min = 1,
     .words_max = any,
     .too_few = "send what? such as tallyd send counter hits 1; see tallyd send --help"},
    {.verb = Verb::top, .name = "top", .flags = "url token-file once json by sort match limit"},
    {.verb = Verb::tap,
     .name = "tap",
     .flags = "url token-file refused sender limit",
     .words_max = 1,
     .too_many = "; put the pattern in quotes, 'api.*'"},
    {.verb = Verb::capture,
     .name = "capture",
     .flags = "url token-file seconds bytes",
     .words_min = 1,
     .words_max = 1,
     .too_few = "capture needs a file to write, such as tallyd capture statsd.pcap"},
    {.verb = Verb::replay,
     .name = "replay",
     .flags = "to speed limit port",
     .words_min = 1,
     .words_max = 1,
     .too_few = "replay needs a file to read, such as tallyd replay statsd.pcap"},
    {.verb = Verb::grafana,
     .name = "grafana",
     .flags = "url token-file output title language limit"},
}};

}  // namespace

std::span<const VerbRow> all_verbs() {
  return verbs;
}

const VerbRow& row_of(Verb verb) {
  return *std::ranges::find(verbs, verb, &VerbRow::verb);
}

std::span<const FlagRow> all_flags() {
  return flags;
}

bool takes(const VerbRow& verb, std::string_view flag) {
  return std::ranges::count(split_names(common_flags), flag) > 0 ||
         std::ranges::count(split_names(verb.flags), flag) > 0;
}

std::vector<std::string_view> split_names(std::string_view names) {
  std::vector<std::string_view> split;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(' '), names.size());
    split.push_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return split;
}

}  // namespace tally
