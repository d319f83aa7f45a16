#include "tools/json_view.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace tally;

namespace {

const std::string sample =
    R"({"total":3,"name":"a","names":["x","y"],"empty":[],"none":null,"yes":true,
"series":[{"id":"1","tags":{"k":"v","a.b":"[0]","c[1].d":"\"]"},"spark":[1,null,2.5],"last":-1e3},
{"id":"2","tags":{},"spark":[],"last":null,"kind":7}],
"nested":{"deep":{"at":1,"attic":2}}})";

}  // namespace

TEST_CASE("json view: members and elements are found, whatever stands beside them") {
  const Json json = read_json(sample);
  REQUIRE(json.is_whole);
  const JsonView view(json);
  CHECK(view.number("total") == 3);
  CHECK(view.count("total") == 3);
  CHECK(view.text("name") == "a");
  CHECK(view.is_true("yes"));
  CHECK(view.at("nested").at("deep").number("at") == 1);
  CHECK(view.at("nested").at("deep").number("attic") == 2);
  const auto names = view.at("names").items();
  REQUIRE(names.size() == 2);
  const auto series = view.at("series").items();
  REQUIRE(series.size() == 2);
  CHECK(series[0].text("id") == "1");
  CHECK(series[0].number("last") == -1000);
  CHECK(series[1].text("id") == "2");
  const auto spark = series[0].at("spark").items();
  REQUIRE(spark.size() == 3);
  CHECK(spark[0].number() == 1);
  CHECK(std::isnan(spark[1].number()));
  CHECK(spark[2].number() == 2.5);
}

TEST_CASE("json view: foreign names of members are what they are") {
  const Json json = read_json(sample);
  const JsonView view(json);
  const auto tags = view.at("series").items()[0].at("tags").members();
  REQUIRE(tags.size() == 3);
  CHECK(tags[0].first == "k");
  CHECK(tags[0].second == "v");
  CHECK(tags[1].first == "a.b");
  CHECK(tags[1].second == "[0]");
  CHECK(tags[2].first == "c[1].d");
  CHECK(tags[2].second == "\"]");
}

TEST_CASE("json view: what is not there, or is something else, reads as nothing") {
  const Json json = read_json(sample);
  const JsonView view(json);
  CHECK_FALSE(view.has("absent"));
  CHECK_FALSE(view.has("tot"));
  CHECK(view.has("none"));
  CHECK(view.text("none") == "");
  CHECK(view.text("total") == "");
  CHECK(std::isnan(view.number("name")));
  CHECK(std::isnan(view.number("none")));
  CHECK(view.count("absent") == 0);
  CHECK_FALSE(view.is_true("name"));
  CHECK(view.at("empty").items().empty());
  CHECK(view.at("name").items().empty());
  CHECK(view.at("absent").at("more").items().empty());
  const auto second = view.at("series").items()[1];
  CHECK(second.at("tags").members().empty());
  CHECK(second.at("spark").items().empty());
  CHECK(second.text("kind") == "");
  CHECK(JsonView().items().empty());
}

TEST_CASE("json view: a count is whole, not negative, and small enough to be one") {
  const Json json = read_json(R"({"a":-1,"b":1e300,"c":2.9,"d":"5"})");
  const JsonView view(json);
  CHECK(view.count("a") == 0);
  CHECK(view.count("b") == 0);
  CHECK(view.count("c") == 2);
  CHECK(view.count("d") == 0);
}
