#include "verdict_rows.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

Row kept(const char* name, Response response, std::vector<std::string_view> says) {
  return {.name = name,
          .response = std::move(response),
          .action = Action::keep,
          .configuration = true,
          .api_in_doubt = true,
          .says = std::move(says)};
}

}  // namespace

TEST_CASE("wrong_api: the tutorial's evening is told with both versions and the cure") {
  const Response response = influxd_plain(404, "404 page not found\n");
  check(
      kept("0.8 is configured", response,
           {"http://db:8086 is InfluxDB \"1.6.7~rc0\"",
            "but api = \"0.8\" is configured: it answered", "404 \"404 page not found\"",
            "the InfluxDB 0.8 API (POST /db/metric/series)", "the 0.8 API ended with InfluxDB 0.9",
            "set influxdb.api = \"1\" (POST /write?db=metric) or \"auto\""}),
      over(Api::v0_8, true));
  check(kept("0.8 was found", response,
             {"1.6.7~rc0", "POST /db/metric/series",
              "tallyd goes on with API 1 (POST /write?db=metric)"}),
        over(Api::v0_8));
  check(kept("the same API below another path", response,
             {"1.6.7~rc0", "POST /write?db=metric", "set influxdb.url to the server's root"}));
  check(kept("method not allowed, recorded", influxd_plain(405, "Method Not Allowed"),
             {"1.6.7~rc0", "405 \"Method Not Allowed\"", "POST /write?db=metric"}));
}

TEST_CASE("wrong_api: a server of another version is told by its version, whatever it answers") {
  const std::vector<Row> rows{
      kept("0.8", influxd_0_8(404, "404 page not found"),
           {"v0.8.8", "POST /write?db=metric", "set influxdb.api = \"0.8\"",
            "POST /db/metric/series"}),
      kept("2.x without a mapping", influxd_2(404, "not found", "no dbrp mapping found"),
           {"v2.7.1", "no dbrp mapping found", "set influxdb.api = \"2\"",
            "POST /api/v2/write?org=acme&bucket=metric"}),
      kept("2.x wants a user", influxd_2(401, "unauthorized", "unauthorized access"),
           {"v2.7.1", "401", "influxdb.api = \"2\""}),
      kept("2.x refuses", influxd_2(400, "invalid", "something"),
           {"v2.7.1", "400", "influxdb.api = \"2\""}),
      kept("3.x", influxd_3(401, "{\"error\":\"unauthorized\"}"),
           {"3.0.1", "401", "influxdb.api = \"3\"", "POST /api/v3/write_lp?db=metric"}),
      kept("3.x has no such path", influxd_3(404, "not found"), {"3.0.1", "influxdb.api = \"3\""}),
  };
  for (const Row& row : rows) check(row, over(Api::v1, true));
}

TEST_CASE("wrong_api: a web page with 200 is no success, and 2.x's own is told as such") {
  Response page = stranger(200, "text/html; charset=utf-8", "<!doctype html>");
  page.influxdb_version = "v2.7.1";
  check(kept("2.x to 0.8's path", page, {"v2.7.1", "200", "POST /db/metric/series", "= \"2\""}),
        over(Api::v0_8, true));
}

TEST_CASE("wrong_api: what names no version is not InfluxDB") {
  const std::vector<Row> rows{
      kept("404 page", stranger(404, "text/html", "<h1>Not Found</h1>"),
           {"does not name itself InfluxDB", "correct influxdb.url"}),
      kept("405", stranger(405, "", ""), {"405 without a text", "correct influxdb.url"}),
      kept("JSON of another", stranger(404, "application/json", "{\"error\":\"no route\"}"),
           {"no route", "does not name itself InfluxDB"}),
  };
  for (const Row& row : rows) check(row);
  check(kept("a fixed API", stranger(404, "", ""), {"or set influxdb.api = \"auto\""}),
        over(Api::v2, true));
}
