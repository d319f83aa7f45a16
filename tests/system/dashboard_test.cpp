// Dashboards, the shipped one and generated ones, against the database they are for: what Grafana
// would ask, asked here.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "fake_server.hpp"
#include "rig.hpp"
#include "tally/text.hpp"
#include "victoria.hpp"

using namespace tally::testing;

namespace {

struct PanelQuery {
  std::string panel;
  std::string text;
};

// Every query of a dashboard (without a file the shipped one), with Grafana's variables filled in:
// "PANEL<tab>QUERY" a line.
std::vector<PanelQuery> dashboard_queries(const std::vector<std::string>& arguments = {}) {
  Process script({.path = PROJECT_DIR "/scripts/dashboard_queries", .arguments = arguments});
  const std::optional<int> status = script.wait(patience);
  REQUIRE_MESSAGE(status == 0, script.log());
  std::vector<PanelQuery> queries;
  std::istringstream lines(script.output());
  for (PanelQuery query; std::getline(std::getline(lines, query.panel, '\t'), query.text);) {
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
      return query.text.find('"' + name + '"') != std::string::npos;
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
    CAPTURE(query.text);
    CHECK(has_data(influxd.query(database, query.text)));
  }
  check_gauges_are_drawn(influxd, queries);
  const auto shown = [&](std::string_view panel, std::string_view column) {
    return influxd.value(database, query_of(queries, panel).text, column);
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

/// The metrics that the tests send, as /api/v1/series lists them.
constexpr std::string_view seen = R"({"total":6,"matched":6,"series":[
{"name":"shop.hits","kind":"counter","tags":{}},{"name":"shop.time","kind":"timer","tags":{}},
{"name":"shop.rows","kind":"histogram","tags":{}},{"name":"shop.size","kind":"distribution","tags":{}},
{"name":"queue \"deep\", a=b","kind":"gauge","tags":{}},{"name":"users","kind":"set","tags":{}}]})";
constexpr std::string_view sent =
    "shop.hits:4|c\nshop.time:12.5|ms\nshop.rows:7|h\nshop.size:9|d\n"
    "queue \"deep\", a=b:3|g\nusers:ann|s";

/// Sends them to a tallyd that writes into a database of this naming's own; returns its name.
std::string store(const Naming& naming, const std::string& url) {
  const std::string own_database = "of_" + std::to_string(&naming - namings.data());
  std::vector<std::string> sets = naming.sets;
  sets.push_back("influxdb.database=" + own_database);
  sets.emplace_back("dialects.influx=false");  // for a name with a comma
  Tallyd tallyd({.influxdb_url = url, .sets = sets});
  StatsdSender sender(tallyd.port());
  sender.send(sent);
  sender.wait_until_read();
  tallyd.stop();
  return own_database;
}

/// The configuration that `tallyd config` prints with these keys.
std::string config_of(const Naming& naming) {
  std::vector<std::string> arguments = {"-c", "/dev/null", "config"};
  for (const std::string& set : naming.sets) arguments.insert(arguments.end(), {"--set", set});
  Process process({.path = TALLYD, .arguments = arguments});
  REQUIRE(process.wait(patience) == 0);
  return process.output();
}

/// What `tallyd grafana` writes for a tallyd that says so.
std::string generated(const Naming& naming, const std::string& language) {
  std::string config;
  tally::append_json_string(config, config_of(naming));
  tally::uv::Loop loop;
  tally::test::FakeServer server(loop, [&](const tally::test::FakeRequest& request) {
    if (request.target == "/api/v1/config")
      return tally::test::reply(200, "{\"config\":" + config + "}");
    return tally::test::reply(200, std::string(seen));
  });
  server.listen();
  Process tool(
      {.path = TALLYD,
       .arguments = {"-c", "/dev/null", "grafana", "--url", server.url(), "--language", language}});
  REQUIRE(tally::test::run_until(loop, [&] { return !tool.running(); }));
  REQUIRE_MESSAGE(tool.wait(patience) == 0, tool.log());
  return tool.output();
}

/// Its queries, for the last so many seconds in one step.
std::vector<PanelQuery> generated_queries(const Naming& naming, const std::string& language,
                                          const std::string& step = "1s") {
  const TemporaryDirectory directory;
  auto queries = dashboard_queries(
      {"--interval", step, directory.write("dashboard.json", generated(naming, language))});
  CHECK(queries.size() >= 6);
  return queries;
}

}  // namespace

TEST_CASE("dashboard: of every naming, each query of a generated one returns data from influxd") {
  Influxd influxd;
  influxd.start();
  for (const Naming& naming : namings) {
    CAPTURE(naming.name);
    const std::string own_database = store(naming, influxd.url());
    for (const PanelQuery& query : generated_queries(naming, "influxql")) {
      CAPTURE(query.text);
      CHECK(has_data(influxd.query(own_database, query.text)));
    }
  }
}

TEST_CASE(
    "dashboard: of every naming, each query of a generated one gets its number from "
    "VictoriaMetrics" *
    doctest::skip(!VictoriaMetrics::is_installed())) {
  struct Shown {
    double value;
    double count;
  };
  const std::map<std::string, Shown> shown = {
      {"shop.hits", {0, 4}}, {"shop.time", {12.5, 1}},        {"shop.rows", {7, 1}},
      {"shop.size", {9, 1}}, {"queue \"deep\", a=b", {3, 1}}, {"users", {1, 1}}};
  for (const Naming& naming : namings) {
    CAPTURE(naming.name);
    VictoriaMetrics victoria;  // it has but one database
    victoria.start();
    store(naming, victoria.url());
    for (const PanelQuery& query : generated_queries(naming, "metricsql", "1000s")) {
      CAPTURE(query.panel);
      CAPTURE(query.text);
      const bool is_rate = query.text.find(" * 1000 / ") != std::string::npos;
      const Shown& wanted = shown.at(query.panel);
      std::vector<double> values;
      CHECK(eventually(patience, [&] {
        values = victoria.asked(query.text);
        return !values.empty();
      }));
      REQUIRE(values.size() == 1);
      CHECK(values[0] == doctest::Approx(is_rate ? wanted.count / 1000 : wanted.value));
    }
  }
}

TEST_CASE("dashboard: the tutorial's query is in it, word for word") {
  const std::string tutorial = "SELECT mean(\"count\") FROM \"response_time.timer\" WHERE ";
  const auto is_tutorial = [&](const PanelQuery& query) {
    return query.text.starts_with(tutorial) && query.text.ends_with(" GROUP BY time(30s)");
  };
  CHECK(std::ranges::count_if(dashboard_queries(), is_tutorial) == 1);
}
