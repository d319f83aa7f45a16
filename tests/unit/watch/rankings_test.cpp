#include "watch/rankings.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <deque>
#include <string>
#include <vector>

using namespace tally;

namespace {

std::vector<std::string> shown(const std::vector<RankedText>& ranked) {
  std::vector<std::string> all;
  for (const RankedText& each : ranked) all.push_back(fmt::format("{} {}", each.text, each.value));
  return all;
}

using Shown = std::vector<std::string>;

}  // namespace

TEST_CASE("rankings: sums by text, the largest first, equal ones by the alphabet") {
  TextSums sums(1);
  std::deque<std::string> texts;
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 1000; ++i)
      sums.add(texts.emplace_back(fmt::format("t{:04}", i)), static_cast<std::uint64_t>(i / 2));
  CHECK(shown(sums.top(3)) == Shown{"t0998 1497", "t0999 1497", "t0996 1494"});
  CHECK(sums.top(5000).size() == 1000);
  sums.clear();
  CHECK(sums.top(3).empty());
}

TEST_CASE("rankings: of prefixes with the same names the longest is told") {
  const std::vector<std::string_view> names = {"prod.api.user.1.hits",
                                               "prod.api.user.2.hits",
                                               "prod.api.user.3.hits",
                                               "prod.api.total",
                                               "alone",
                                               "prod.api.user.3.time"};
  CHECK(shown(top_prefixes_of(names, 10, 1)) == Shown{"prod.api. 5", "prod.api.user. 4",
                                                      "prod.api.user.3. 2", "prod.api.user.1. 1",
                                                      "prod.api.user.2. 1"});
  CHECK(shown(top_prefixes_of(names, 2, 1)) == Shown{"prod.api. 5", "prod.api.user. 4"});
  CHECK(top_prefixes_of({}, 10, 1).empty());
}

TEST_CASE("rankings: prefixes of more than eight parts are not looked at") {
  const std::vector<std::string_view> names = {"1.2.3.4.5.6.7.8.9.10", "..", ".a"};
  CHECK(shown(top_prefixes_of(names, 10, 1)) == Shown{". 2", ".. 1", "1.2.3.4.5.6.7.8. 1"});
}

TEST_CASE("rankings: tags by distinct values, of many values an estimate") {
  TagValues tags(7);
  SeriesKeyBuilder builder({});
  std::deque<std::string> keys;
  for (int i = 0; i < 20'000; ++i) {
    const std::string user = std::to_string(i), env = std::to_string(i % 3);
    const std::vector<Tag> pair = {{.key = "user", .value = user}, {.key = "env", .value = env}};
    tags.add(keys.emplace_back(builder.build(Kind::counter, "api.req", pair)));
  }
  tags.add(keys.emplace_back(builder.build(Kind::counter, "bare", {})));
  const std::vector<RankedText> top = tags.top(10);
  REQUIRE(top.size() == 2);
  CHECK(top[0].text == "user");
  CHECK(top[0].value > 19'000);
  CHECK(top[0].value < 21'000);
  CHECK(top[0].example == "api.req");
  CHECK(top[1] == RankedText{"env", 3, "api.req"});
}

TEST_CASE("rankings: beyond 1,024 tags the first are ranked, and memory stays") {
  TagValues tags(7);
  SeriesKeyBuilder builder({});
  std::deque<std::string> keys;
  for (int i = 0; i < 3000; ++i) {
    const std::string name = fmt::format("tag{}", i);
    const std::vector<Tag> tag = {{.key = name, .value = "1"}};
    tags.add(keys.emplace_back(builder.build(Kind::counter, "a", tag)));
  }
  CHECK(tags.top(5000).size() == TagValues::tags_max);
}
