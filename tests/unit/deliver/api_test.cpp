#include "tally/api.hpp"

#include <doctest/doctest.h>

using namespace tally;

TEST_CASE("api: a version's API is told by its numbers, wherever they stand in the name") {
  struct Row {
    std::string_view version;
    std::optional<Api> api;
  };
  constexpr Row rows[] = {
      {"1.6.7~rc0", Api::v1},    {"1.8.0", Api::v1},
      {"v1.11.8", Api::v1},      {"1.8.10-c1.8.10", Api::v1},
      {"0.9.6", Api::v1},        {"0.10.3", Api::v1},
      {"0.13.0", Api::v1},       {"InfluxDB v0.8.8 (git: afde71e) (leveldb: 1.15)", Api::v0_8},
      {"0.8.0-rc.5", Api::v0_8}, {"0.7.3", Api::v0_8},
      {"v2.7.1", Api::v2},       {"2.0.0-alpha.1", Api::v2},
      {"3.0.1", Api::v3},        {"3.9.6", Api::v3},
      {"4.0.0", Api::v3},        {"10.1.0", Api::v3},
      {"12.0", Api::v3},         {"", std::nullopt},
      {"unknown", std::nullopt}, {"dev", std::nullopt},
      {"1", std::nullopt},       {"1.", std::nullopt},
      {"1.x", std::nullopt},     {"f46a3bd1e2", std::nullopt},
      {"4e6ab12", std::nullopt}, {"99999999999.1", std::nullopt},
      {"-1.2", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.version);
    CHECK(api_of(row.version) == row.api);
  }
}

TEST_CASE("api: any answer identifies the server by its header, whatever else it says") {
  for (const int status : {200, 204, 400, 401, 404, 500}) {
    CAPTURE(status);
    CHECK(identify({.status = status, .influxdb_version = "1.6.7~rc0", .body = "404 page"}) ==
          Server{Api::v1, "1.6.7~rc0"});
  }
  CHECK(identify({.status = 200,
                  .influxdb_version = "InfluxDB v0.8.8 (git: afde71e) (leveldb: 1.15)",
                  .body = "{\"status\":\"ok\"}"}) ==
        Server{Api::v0_8, "InfluxDB v0.8.8 (git: afde71e) (leveldb: 1.15)"});
}

TEST_CASE("api: without the header the JSON of /ping and /health identifies, that of others not") {
  struct Row {
    const char* name;
    std::string body;
    std::optional<Server> server;
  };
  const Row rows[] = {
      {"3.x /ping", R"({"version":"3.0.1","revision":"d7c071e0c4","process_id":"b3d49d5c"})",
       Server{Api::v3, "3.0.1"}},
      {"2.x /health",
       R"({"name":"influxdb","message":"ready for queries and writes","status":"pass",)"
       R"("checks":[],"version":"v2.7.1","commit":"407fa622e9"})",
       Server{Api::v2, "v2.7.1"}},
      {"1.8 /health",
       R"({"checks":[],"message":"ready","name":"influxdb","status":"pass","version":"1.8.10"})",
       Server{Api::v1, "1.8.10"}},
      {"with blanks", " {\n \"version\" : \"3.1.0\" }\n", Server{Api::v3, "3.1.0"}},
      {"0.8 /ping, its header taken away", R"({"status":"ok"})", std::nullopt},
      {"VictoriaMetrics /health", "OK", std::nullopt},
      {"another product", R"({"name":"grafana","version":"3.4.5"})", std::nullopt},
      {"a version of something", R"({"version":"2.5.0"})", std::nullopt},
      {"a version deeper inside", R"({"version":{"number":"3.4.5"}})", std::nullopt},
      {"a version that is none", R"({"version":"three","name":"influxdb"})", std::nullopt},
      {"a web page", "<html>version 3.1</html>", std::nullopt},
      {"nothing", "", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(identify({.status = 200, .body = row.body}) == row.server);
    CHECK(identify({.status = 503, .body = row.body}) == std::nullopt);
  }
  CHECK(identify({.transport_error = "reset", .status = 204, .influxdb_version = "1.8.0"}) ==
        std::nullopt);
}

TEST_CASE("api: each has the name that influxdb.api gives it") {
  CHECK(to_string(Api::v0_8) == "0.8");
  CHECK(to_string(Api::v1) == "1");
  CHECK(to_string(Api::v2) == "2");
  CHECK(to_string(Api::v3) == "3");
}
