// 200,000 damaged lines, read by the parser and by its naive twin, half of them by the default
// rules and half by any others. The seed is fixed, so that a failure repeats.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "differential.hpp"

using namespace tally::testing;

namespace {

constexpr std::string_view seeds[] = {
    "page.views:1|c",
    "page.views:1:2:-3.5|c|@0.1|#env:prod,urgent|c:ci-83|T1700000000",
    "deploys:1|c:320|ms|@0.1",
    "deploys:1|c|@0.5:2|c:x|s|#k:v",
    "disk,host=a,dev=sda:1|g",
    "disk;host=a;dev=sda:+1.5|g",
    "disk#host=a:-1|g|#x:y",
    "disk[host=a,b=c]:1e3|h",
    "users:2001:db8::1|s|#a:1,a:2,a",
    "size:007:.5:5.|d|#,,k:,:v,k:v:w,k=v",
    "lat:0.5:120|ms|@0.25|e:it-false,cn-x|card:low|zz:1|",
    "multi:0|ms|@0.1:0|ms|:1|ms",
    "late:1|c|T1656581400:2|c|T17",
    "late:+1:2|g|T1656581400",
    "b  ar/x@y;dc=eu west/1,k=v:1|c|#u r/l:a;b/c,\xc3\xa9:x",
    "caf\xc3\xa9:1|c|#\xf0\x9f\x8d\xad:\xe2\x82\xac",
    "_e{1,1}:a|b",
    "_sc|agent.up|0",
    "tallyd.lines:1|c",
    "gauge:+3|g\ngauge:-3|g\r\ngauge:3|g",
    "bad\na:1|c\n\nb:2|c\n",
};

/// Pieces that mean something somewhere in a line, and some that must not.
constexpr std::string_view pieces[] = {
    ":",    "|",    "@",    "#",    ",",    ";",    "=",    "[",       "]",     "\n",    "\r\n",
    " ",    "\t",   ".",    "-",    "+",    "e",    "0",    "1",       "9",     "0.5",   "1e-7",
    "c",    "g",    "ms",   "h",    "d",    "s",    "|c",   "|g",      ":1|c",  "|@0.5", "|@",
    "|#",   "|#k:", "|T",   "|T17", "|c:x", "||",   "::",   "|:",      "nan",   "inf",   "0x1",
    "\xff", "\xc3", "\xa9", "\\",   "_e{",  "_sc|", "\x7f", "tallyd.", "1e400", "|zz",   ":x|s",
};

class Damage {
 public:
  explicit Damage(std::uint64_t seed) : random_(seed) {}

  /// A number of rules_of: as often the default as all the others.
  std::uint32_t next_rules() {
    return below(2) == 0 ? 0 : static_cast<std::uint32_t>(below(rule_sets));
  }

  std::string next() {
    std::string text(pick(seeds));
    for (std::size_t blows = 1 + below(4); blows > 0; --blows) strike(text);
    if (below(8) == 0) text += "\n" + std::string(pick(seeds));
    return text;
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }

  template <std::size_t size>
  std::string_view pick(const std::string_view (&choice)[size]) {
    return choice[below(size)];
  }

  void strike(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    const std::size_t count = std::min(text.size() - at, 1 + below(4));
    switch (below(6)) {
      case 0:
        text.erase(at, count);
        break;
      case 1:
        text.replace(at, count, pick(pieces));
        break;
      case 2:
        text.insert(at, text.substr(below(text.size() + 1), 1 + below(12)));
        break;
      case 3:
        text.insert(at, 1, static_cast<char>(below(256)));
        break;
      default:
        text.insert(at, pick(pieces));
    }
  }

  std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("parse: undamaged lines read as the naive twin reads them, by each set of rules") {
  for (const std::string_view line : seeds) {
    for (std::uint32_t rules = 0; rules < rule_sets; ++rules) {
      const auto difference = parse_disagreement(line, rules_of(rules));
      CHECK_MESSAGE(!difference, "rules ", rules, ": ", difference.value_or(""));
    }
  }
}

TEST_CASE("parse: 200,000 damaged lines are taken and refused as by the naive twin") {
  Damage damage(20240601);
  std::size_t differences = 0;
  for (int i = 0; i < 200'000 && differences < 20; ++i) {
    const std::uint32_t rules = damage.next_rules();
    const auto difference = parse_disagreement(damage.next(), rules_of(rules));
    CHECK_MESSAGE(!difference, "rules ", rules, ": ", difference.value_or(""));
    if (difference) ++differences;
  }
}

TEST_CASE("parse: random bytes keep every promise and read as the twin reads them") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 5'000; ++i) {
    std::string bytes(random() % 300, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const auto difference = parse_disagreement(bytes, rules_of(random() % rule_sets));
    REQUIRE_MESSAGE(!difference, difference.value_or(""));
  }
}
