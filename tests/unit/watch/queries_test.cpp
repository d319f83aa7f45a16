#include "watch/queries.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using namespace tally;
using http::Field;
using http::Request;

namespace {

Request with(std::vector<Field> parameters) {
  return {.parameters = std::move(parameters)};
}

template <class Query>
std::string error_of(const Result<Query>& query) {
  return query ? "" : query.error().message;
}

}  // namespace

TEST_CASE("series query: defaults, and every parameter") {
  const HistoryQuery defaults = parse_series_query({}).value();
  CHECK(defaults.match.empty());
  CHECK_FALSE(defaults.kind);
  CHECK(defaults.sort == SortBy::rate);
  CHECK_FALSE(defaults.ascending);
  CHECK(defaults.limit == 100);
  CHECK(defaults.offset == 0);
  CHECK_FALSE(defaults.without_own);
  CHECK(parse_series_query(with({{"own", "0"}})).value().without_own);
  CHECK_FALSE(parse_series_query(with({{"own", "1"}})).value().without_own);
  const HistoryQuery query = parse_series_query(with({{"match", "api.*"},
                                                      {"kind", "set"},
                                                      {"sort", "bytes"},
                                                      {"order", "asc"},
                                                      {"limit", "1000"},
                                                      {"offset", "5"},
                                                      {"unknown", "x"}}))
                                 .value();
  CHECK(query.match == "api.*");
  CHECK(query.kind == Kind::set);
  CHECK(query.sort == SortBy::bytes);
  CHECK(query.ascending);
  CHECK(query.limit == 1000);
  CHECK(query.offset == 5);
  CHECK(parse_series_query(with({{"sort", "name"}})).value().ascending);
  CHECK_FALSE(parse_series_query(with({{"sort", "name"}, {"order", "desc"}})).value().ascending);
}

TEST_CASE("series query: every kind of value, and no other") {
  for (std::size_t kind = 0; kind < value_kind_count; ++kind) {
    const auto expected = static_cast<Kind>(kind);
    CHECK(parse_series_query(with({{"kind", to_string(expected)}})).value().kind == expected);
  }
  CHECK(error_of(parse_series_query(with({{"kind", "event"}}))) ==
        "kind must be one of counter, gauge, timer, histogram, distribution, set, not \"event\"");
}

TEST_CASE("queries: what is not allowed is an error that says what is") {
  for (const char* limit : {"0", "1001", "-1", "1.5", "", "x", "1 ", "99999999999999999999"}) {
    CAPTURE(limit);
    CHECK(error_of(parse_series_query(with({{"limit", limit}})))
              .starts_with("limit must be a whole number from 1 to 1000, not \""));
    CHECK_FALSE(parse_top_query(with({{"limit", limit}})));
  }
  CHECK(error_of(parse_series_query(with({{"sort", "Rate"}}))) ==
        "sort must be one of rate, name, last, bytes, not \"Rate\"");
  CHECK(error_of(parse_series_query(with({{"order", "<up>\n"}}))) ==
        "order must be one of desc, asc, not \"<up>\\x0A\"");
  CHECK(error_of(parse_series_query(with({{"offset", "-1"}}))) ==
        "offset must be a whole number from 0 to 1000000000, not \"-1\"");
  CHECK(error_of(parse_top_query(with({{"by", "x"}}))) ==
        "by must be one of rate, series, bytes, sender, tag, not \"x\"");
  CHECK(error_of(parse_tap_query(with({{"limit", "x"}}))) ==
        "limit must be a whole number from 0 to 1000000000000, not \"x\"");
  CHECK(error_of(parse_capture_query(with({{"seconds", "3601"}}))) ==
        "seconds must be a whole number from 1 to 3600, not \"3601\"");
  CHECK(error_of(parse_capture_query(with({{"bytes", "1"}}))) ==
        "bytes must be a whole number from 1024 to 17179869184, not \"1\"");
}

TEST_CASE("top, tap and capture queries: defaults, and every parameter") {
  CHECK(parse_top_query({}).value().by == TopBy::rate);
  CHECK(parse_top_query({}).value().limit == 20);
  CHECK(parse_top_query(with({{"by", "tag"}, {"limit", "3"}})).value().by == TopBy::tag);
  CHECK(parse_top_query(with({{"by", "tag"}, {"limit", "3"}})).value().limit == 3);
  const TapQuery all = parse_tap_query({}).value();
  CHECK(all.filter.match.empty());
  CHECK(all.filter.sender.empty());
  CHECK_FALSE(all.filter.only_refused);
  CHECK(all.limit == 0);
  const TapQuery some =
      parse_tap_query(with({{"match", "a*"}, {"sender", "10."}, {"refused", "1"}, {"limit", "9"}}))
          .value();
  CHECK(some.filter.match == "a*");
  CHECK(some.filter.sender == "10.");
  CHECK(some.filter.only_refused);
  CHECK(some.limit == 9);
  CHECK(parse_capture_query({}).value().time == 60s);
  CHECK(parse_capture_query({}).value().bytes == 64 << 20);
  const CaptureQuery short_one =
      parse_capture_query(with({{"seconds", "1"}, {"bytes", "2048"}})).value();
  CHECK(short_one.time == 1s);
  CHECK(short_one.bytes == 2048);
}

TEST_CASE("queries: a flag is set by its name alone, and by any value but 0 and false") {
  for (const char* value : {"", "1", "true", "yes"})
    CHECK(has_flag(with({{"deep", value}}), "deep"));
  for (const char* value : {"0", "false"}) CHECK_FALSE(has_flag(with({{"deep", value}}), "deep"));
  CHECK_FALSE(has_flag({}, "deep"));
}
