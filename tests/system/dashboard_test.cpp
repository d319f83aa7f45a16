// The shipped dashboard against the database it is for: what Grafana would ask, asked here.

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "rig.hpp"

using namespace tally::testing;

namespace {

struct PanelQuery {
  std::string panel;
  std::string influxql;
};

// Every query of the dashboard, with Grafana's variables filled in: "PANEL<tab>QUERY" a line.
std::vector<PanelQuery> dashboard_queries() {
  Process script({.path = PROJECT_DIR "/scripts/dashboard_queries"});
  const std::optional<int> status = script.wait(patience);
  REQUIRE_MESSAGE(status == 0, script.log());
  std::vector<PanelQuery> queries;
  std::istringstream lines(script.output());
  for (PanelQuery query; std::getline(std::getline(lines, query.panel, '\t'), query.influxql);) {
    queries.push_back(query);
  }
  return queries;
}

bool is_value(const Row::value_type& cell) {
  const auto& [column, text] = cell;
  return column != "name" && column != "tags" && column != "time" && column != "error" &&
         !text.empty();
}

bool has_data(const std::vector<Row>& rows) {
  return std::ranges::any_of(rows,
                             [](const Row& row) { return std::ranges::any_of(row, is_value); });
}

const PanelQuery& query_of(const std::vector<PanelQuery>& queries, std::string_view panel) {
  const auto found = std::ranges::find(queries, panel, &PanelQuery::panel);
  REQUIRE_MESSAGE(found != queries.end(), "no panel " << panel);
  return *found;
}

}  // namespace

TEST_CASE(
    "dashboard: every query of every panel returns data from a real influxd, and the right "
    "numbers") {
  const std::vector<PanelQuery> queries = dashboard_queries();
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url()});
  StatsdSender sender(tallyd.port());
  for (int i = 0; i < 6; ++i) sender.send("count_request:1|c\nresponse_time:12.5|ms");
  sender.send("this is no sample");  // one lost line: "Lines refused, by reason" is empty without
  sender.wait_until_read();
  tallyd.stop();

  for (const PanelQuery& query : queries) {
    CAPTURE(query.panel);
    CAPTURE(query.influxql);
    CHECK(has_data(influxd.query(database, query.influxql)));
  }
  const auto shown = [&](std::string_view panel, std::string_view column) {
    return influxd.value(database, query_of(queries, panel).influxql, column);
  };
  CHECK(shown("Requests", "sum") == "6");
  CHECK(shown("Mean response time", "mean") == "12.5");
  CHECK(shown("Lost", "sum") == "1");
}

TEST_CASE("dashboard: the tutorial's query is in it, word for word") {
  const std::string tutorial = "SELECT mean(\"count\") FROM \"response_time.timer\" WHERE ";
  const auto is_tutorial = [&](const PanelQuery& query) {
    return query.influxql.starts_with(tutorial) && query.influxql.ends_with(" GROUP BY time(30s)");
  };
  CHECK(std::ranges::count_if(dashboard_queries(), is_tutorial) == 1);
}
