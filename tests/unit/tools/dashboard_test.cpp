#include "tools/dashboard.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "tools/json_view.hpp"

using namespace tally;

namespace {

const std::vector<Metric> metrics = {{Kind::timer, "shop.api.time"},
                                     {Kind::counter, "shop.api.hits"},
                                     {Kind::gauge, "shop.db.queue"},
                                     {Kind::set, "shop.users"},
                                     {Kind::histogram, "shop.db.rows"}};

DashboardRequest request(QueryLanguage language = QueryLanguage::influxql) {
  return {.title = "Web \"shop\"",
          .context = {.language = language},
          .percentiles = {50, 75, 95, 99, 99.9},
          .metrics = metrics};
}

/// "title" of each panel, rows in brackets, in their order.
std::string titles(const JsonView& dashboard) {
  std::string all;
  for (const JsonView& panel : dashboard.at("panels").items()) {
    const std::string title(panel.text("title"));
    all += panel.text("type") == "row" ? "[" + title + "]" : title + " ";
  }
  return all;
}

}  // namespace

TEST_CASE("dashboard: a row for each first part behind what all share, in it a panel a metric") {
  const Dashboard made = make_dashboard(request());
  const Json json = read_json(made.json);
  REQUIRE(json.is_whole);
  const JsonView dashboard(json);
  CHECK(dashboard.text("title") == "Web \"shop\"");
  CHECK(titles(dashboard) ==
        "[others]shop.users [shop.api]shop.api.hits shop.api.time [shop.db]shop.db.queue "
        "shop.db.rows ");
  CHECK(made.panels == 5);
  CHECK(made.left_out == 0);
}

TEST_CASE("dashboard: panels do not overlap, and their numbers are unique") {
  const Json json = read_json(make_dashboard(request()).json);
  std::set<double> ids;
  std::set<std::pair<double, double>> places;
  double bottom = 0;
  const auto panels = JsonView(json).at("panels").items();
  for (const JsonView& panel : panels) {
    const JsonView place = panel.at("gridPos");
    ids.insert(panel.number("id"));
    places.emplace(place.number("x"), place.number("y"));
    CHECK(place.number("y") >= bottom - (place.number("x") > 0 ? place.number("h") : 0));
    bottom = std::max(bottom, place.number("y") + place.number("h"));
    CHECK(place.number("x") + place.number("w") <= 24);
  }
  CHECK(ids.size() == panels.size());
  CHECK(places.size() == panels.size());
}

TEST_CASE("dashboard: each kind is drawn as it should be read") {
  const Json json = read_json(make_dashboard(request()).json);
  for (const JsonView& panel : JsonView(json).at("panels").items()) {
    const std::string title(panel.text("title"));
    const JsonView defaults = panel.at("fieldConfig").at("defaults");
    const std::size_t targets = panel.at("targets").items().size();
    CAPTURE(title);
    if (panel.text("type") == "row") continue;
    CHECK(panel.text("interval") == "10s");
    CHECK(panel.at("datasource").text("uid") == "${datasource}");
    if (title == "shop.api.hits") CHECK(defaults.at("custom").text("drawStyle") == "bars");
    if (title == "shop.api.time") CHECK(defaults.text("unit") == "ms");
    if (title == "shop.db.rows") CHECK(defaults.text("unit") == "short");
    CHECK(targets == (title == "shop.api.time" || title == "shop.db.rows" ? 5 : 1));
    if (title == "shop.db.queue")
      CHECK(panel.at("targets").items()[0].text("alias") == "$tag_host");
    if (title == "shop.api.time") {
      const auto each = panel.at("targets").items();
      CHECK(each[1].text("alias") == "p50");
      CHECK(each[4].text("refId") == "COUNT");
    }
  }
}

TEST_CASE("dashboard: every language has its own query, and its own kind of data source") {
  for (const QueryLanguage language : {QueryLanguage::influxql, QueryLanguage::flux,
                                       QueryLanguage::sql, QueryLanguage::metricsql}) {
    const Json json = read_json(make_dashboard(request(language)).json);
    REQUIRE(json.is_whole);
    const bool is_prometheus = language == QueryLanguage::metricsql;
    const auto variables = JsonView(json).at("templating").at("list").items();
    REQUIRE(variables.size() == 2);
    CHECK(variables[0].text("query") == (is_prometheus ? "prometheus" : "influxdb"));
    CHECK(variables[1].text("name") == "host");
    CHECK(variables[1].text("query") != "");
    const JsonView target = JsonView(json).at("panels").items()[1].at("targets").items()[0];
    const std::string member = is_prometheus                    ? "expr"
                               : language == QueryLanguage::sql ? "rawSql"
                                                                : "query";
    CHECK(target.text(member) != "");
    CHECK(target.at("datasource").text("type") == (is_prometheus ? "prometheus" : "influxdb"));
  }
}

TEST_CASE("dashboard: percentiles that are not written are not asked for") {
  DashboardRequest few = request();
  few.metrics = {{Kind::timer, "t"}};
  const auto names = [&] {
    const Json json = read_json(make_dashboard(few).json);
    std::string all;
    for (const JsonView& target : JsonView(json).at("panels").items()[1].at("targets").items())
      all += std::string(target.text("alias")) + " ";
    return all;
  };
  few.percentiles = {90, 99};
  CHECK(names() == "mean p99 per second ");
  few.percentiles = {10, 20, 30, 40};
  CHECK(names() == "mean p10 p20 p30 per second ");
  few.percentiles = {};
  CHECK(names() == "mean per second ");
}

TEST_CASE(
    "dashboard: panels are bounded, the first metrics stay, and what is left out is counted") {
  DashboardRequest many = request();
  many.metrics.clear();
  for (int i = 0; i < 100; ++i) many.metrics.push_back({Kind::counter, "m" + std::to_string(i)});
  many.metrics.insert(many.metrics.begin(), {Kind::counter, "a$timeFilter"});
  many.panels_max = 3;
  const Dashboard made = make_dashboard(many);
  CHECK(made.panels == 3);
  CHECK(made.left_out == 97);
  CHECK(made.unnameable == 1);
  const Json json = read_json(made.json);
  CHECK(titles(JsonView(json)) == "[others]m0 m1 m2 ");
  CHECK(JsonView(json).text("description") ==
        "Made by tallyd grafana for 3 metrics; 97 less busy ones are left out.");
}

TEST_CASE("dashboard: no metrics, no host, and names that share no dot make one too") {
  DashboardRequest none = request();
  none.metrics.clear();
  CHECK(read_json(make_dashboard(none).json).is_whole);
  none.context.has_host = false;
  none.metrics = {{Kind::gauge, "a"}, {Kind::gauge, "b.c"}};
  const Json json = read_json(make_dashboard(none).json);
  CHECK(JsonView(json).at("templating").at("list").items().size() == 1);
  CHECK(titles(JsonView(json)) == "[b]b.c [others]a ");
}
