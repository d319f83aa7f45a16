// Dashboards, the shipped one and generated ones, against the database they are for: what Grafana
// would ask, asked here.

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "fake_server.hpp"
#include "rig.hpp"
#include "tally/text.hpp"

using namespace tally::testing;

namespace {

struct PanelQuery {
  std::string panel;
  std::string influxql;
};

// Every query of a dashboard (without a file the shipped one), with Grafana's variables filled in:
// "PANEL<tab>QUERY" a line.
std::vector<PanelQuery> dashboard_queries(const std::vector<std::string>& file = {}) {
  Process script({.path = PROJECT_DIR "/scripts/dashboard_queries", .arguments = file});
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

// A gauge that tallyd learns to tell wants a panel, or its name here.
void check_gauges_are_drawn(Influxd& influxd, const std::vector<PanelQuery>& queries) {
  const std::vector<std::string> left_out = {"tallyd.history_series.gauge",
                                             "tallyd.history_left_out.gauge"};
  const auto rows = influxd.query(database, "SHOW FIELD KEYS FROM /^tallyd.*gauge$/");
  CHECK(rows.size() > left_out.size());
  for (const Row& row : rows) {
    const std::string& name = row.at("name");
    CAPTURE(name);
    const auto asks = [&](const PanelQuery& query) {
      return query.influxql.find('"' + name + '"') != std::string::npos;
    };
    CHECK(std::ranges::any_of(queries, asks) != (std::ranges::count(left_out, name) == 1));
  }
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
  check_gauges_are_drawn(influxd, queries);
  const auto shown = [&](std::string_view panel, std::string_view column) {
    return influxd.value(database, query_of(queries, panel).influxql, column);
  };
  CHECK(shown("Requests", "sum") == "6");
  CHECK(shown("Mean response time", "mean") == "12.5");
  CHECK(shown("Lost", "sum") == "1");
}

namespace {

struct Naming {
  std::string_view name;
  std::vector<std::string> sets;
};

/// The metrics that the test sends, as /api/v1/series lists them.
constexpr std::string_view seen = R"({"total":6,"matched":6,"series":[
{"name":"shop.hits","kind":"counter","tags":{}},{"name":"shop.time","kind":"timer","tags":{}},
{"name":"shop.rows","kind":"histogram","tags":{}},{"name":"shop.size","kind":"distribution","tags":{}},
{"name":"queue \"deep\", a=b","kind":"gauge","tags":{}},{"name":"users","kind":"set","tags":{}}]})";
constexpr std::string_view sent =
    "shop.hits:4|c\nshop.time:12.5|ms\nshop.rows:7|h\nshop.size:9|d\n"
    "queue \"deep\", a=b:3|g\nusers:ann|s";

/// The configuration that `tallyd config` prints with these keys.
std::string config_of(const Naming& naming) {
  std::vector<std::string> arguments = {"-c", "/dev/null", "config"};
  for (const std::string& set : naming.sets) arguments.insert(arguments.end(), {"--set", set});
  Process process({.path = TALLYD, .arguments = arguments});
  REQUIRE(process.wait(patience) == 0);
  return process.output();
}

/// What `tallyd grafana` writes for a tallyd that says so.
std::string generated(const Naming& naming) {
  std::string config;
  tally::append_json_string(config, config_of(naming));
  tally::uv::Loop loop;
  tally::test::FakeServer server(loop, [&](const tally::test::FakeRequest& request) {
    if (request.target == "/api/v1/config")
      return tally::test::reply(200, "{\"config\":" + config + "}");
    return tally::test::reply(200, std::string(seen));
  });
  server.listen();
  Process tool({.path = TALLYD,
                .arguments = {"-c", "/dev/null", "grafana", "--url", server.url(), "--language",
                              "influxql"}});
  REQUIRE(tally::test::run_until(loop, [&] { return !tool.running(); }));
  REQUIRE_MESSAGE(tool.wait(patience) == 0, tool.log());
  return tool.output();
}

}  // namespace

TEST_CASE("dashboard: of every naming, each query of a generated one returns data from influxd") {
  const std::vector<Naming> namings = {
      {"native", {}},
      {"prefix", {"output.prefix=my app."}},
      {"per_type", {"output.measurement=per_type", "output.prefix=web."}},
      {"go-metrics", {"output.naming=go-metrics"}},
      {"telegraf", {"output.naming=telegraf"}},
      {"gostatsd", {"output.naming=gostatsd"}},
      {"etsy", {"output.naming=etsy"}},
      {"percentiles", {"flush.percentiles=[50, 99.9]"}},
      {"no host", {"tags.host="}},
      {"retention", {"influxdb.retention_policy=autogen"}},
  };
  Influxd influxd;
  influxd.start();
  for (const Naming& naming : namings) {
    CAPTURE(naming.name);
    const std::string own_database = "of_" + std::to_string(&naming - namings.data());
    std::vector<std::string> sets = naming.sets;
    sets.push_back("influxdb.database=" + own_database);
    sets.emplace_back("dialects.influx=false");  // for a name with a comma
    Tallyd tallyd({.influxdb_url = influxd.url(), .sets = sets});
    StatsdSender sender(tallyd.port());
    sender.send(sent);
    sender.wait_until_read();
    tallyd.stop();

    const TemporaryDirectory directory;
    const auto queries = dashboard_queries({directory.write("d.json", generated(naming))});
    CHECK(queries.size() >= 6);
    for (const PanelQuery& query : queries) {
      CAPTURE(query.influxql);
      CHECK(has_data(influxd.query(own_database, query.influxql)));
    }
  }
}

TEST_CASE("dashboard: the tutorial's query is in it, word for word") {
  const std::string tutorial = "SELECT mean(\"count\") FROM \"response_time.timer\" WHERE ";
  const auto is_tutorial = [&](const PanelQuery& query) {
    return query.influxql.starts_with(tutorial) && query.influxql.ends_with(" GROUP BY time(30s)");
  };
  CHECK(std::ranges::count_if(dashboard_queries(), is_tutorial) == 1);
}
