#include "watch/prometheus.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

using namespace tally;

namespace {

std::string name(std::string_view text) {
  std::string out;
  append_prometheus_name(out, text);
  return out;
}

std::string number(double value) {
  std::string out;
  append_prometheus_number(out, value);
  return out;
}

std::string sample(const std::vector<TagView>& tags) {
  std::string out;
  append_prometheus_sample(out, "m", tags, 1);
  return out;
}

}  // namespace

TEST_CASE("prometheus: a name keeps letters, digits and underscores, and begins with no digit") {
  CHECK(name("api.hits") == "api_hits");
  CHECK(name("api:hits-2 {x}\"\\") == "api_hits_2__x___");
  CHECK(name("404.pages") == "_404_pages");
  CHECK(name("caf\xc3\xa9") == "caf__");
  CHECK(name("") == "_");
}

TEST_CASE("prometheus: labels of one sample are all different, and none is Prometheus' own") {
  const std::vector<TagView> tags = {{"a.b", ""},      {"a_b", ""}, {"a-b", ""},
                                     {"__name__", ""}, {"le", ""},  {"quantile", ""},
                                     {"x__name__", ""}};
  CHECK(prometheus_labels(tags) == std::vector<std::string>{"a_b", "a_b_", "a_b__", "x__name__",
                                                            "xle", "xquantile", "x__name___"});
}

TEST_CASE("prometheus: values of labels and help are escaped, so that a text stays one line") {
  CHECK(sample({}) == "m 1\n");
  CHECK(sample({{"k", "a\\b\"c\nd"}, {"l", "é{}"}}) == "m{k=\"a\\\\b\\\"c\\nd\",l=\"é{}\"} 1\n");
  std::string head;
  append_prometheus_head(head, "m", "gauge", "a\\b\"c\nd");
  CHECK(head == "# HELP m a\\\\b\"c\\nd\n# TYPE m gauge\n");
}

TEST_CASE("prometheus: numbers are the shortest that read back, and what is none has a word") {
  CHECK(number(1000000) == "1000000");
  CHECK(number(0.1) == "0.1");
  CHECK(number(std::numeric_limits<double>::quiet_NaN()) == "NaN");
  CHECK(number(std::numeric_limits<double>::infinity()) == "+Inf");
  CHECK(number(-std::numeric_limits<double>::infinity()) == "-Inf");
}
