#pragma once
// What the tests of the verdicts share: a payload, answers as servers give them, and a row.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tally/text.hpp"
#include "tally/verdict.hpp"

namespace tally::testing {

inline const Destination metric{
    .url = "http://db:8086", .database = "metric", .username = "wr", .create_database = true};

/// Where payloads go over another API.
inline Destination over(Api api, bool is_fixed = false) {
  Destination to = metric;
  to.api = api;
  to.api_is_fixed = is_fixed;
  to.org = "acme";
  return to;
}

inline Payload payload_of(const std::vector<std::string>& lines) {
  Payload payload;
  for (const std::string& line : lines) payload.body += line + '\n';
  payload.points = static_cast<std::uint32_t>(lines.size());
  return payload;
}

/// `m0 value=1 1700000000` and so on.
inline Payload hundred_points() {
  std::vector<std::string> lines;
  for (int i = 0; i < 100; ++i) lines.push_back("m" + std::to_string(i) + " value=1 1700000000");
  return payload_of(lines);
}

/// An error as influxd 1.6.7 sends it: JSON in the body, the same text in a header.
inline Response influxd(int status, std::string error) {
  Response response{.status = status,
                    .content_type = "application/json",
                    .influxdb_version = "1.6.7~rc0",
                    .influxdb_error = error,
                    .body = "{\"error\":"};
  append_json_string(response.body, error);
  response.body += "}\n";
  return response;
}

/// A text/plain answer of influxd's own router.
inline Response influxd_plain(int status, std::string body) {
  return {.status = status,
          .content_type = "text/plain; charset=utf-8",
          .influxdb_version = "1.6.7~rc0",
          .body = std::move(body)};
}

/// An error as 2.x sends it.
inline Response influxd_2(int status, std::string_view code, std::string_view message) {
  Response response{.status = status,
                    .content_type = "application/json; charset=utf-8",
                    .influxdb_version = "v2.7.1",
                    .body = "{\"code\":"};
  append_json_string(response.body, code);
  response.body += ",\"message\":";
  append_json_string(response.body, message);
  response.body += '}';
  return response;
}

/// An answer of 3.x.
inline Response influxd_3(int status, std::string body) {
  return {.status = status,
          .content_type = "application/json",
          .influxdb_version = "3.0.1",
          .body = std::move(body)};
}

/// An answer of 0.8.
inline Response influxd_0_8(int status, std::string body) {
  return {.status = status,
          .content_type = "text/plain",
          .influxdb_version = "InfluxDB v0.8.8 (git: afde71e) (leveldb: 1.15)",
          .body = std::move(body)};
}

/// An answer of something that is not InfluxDB.
inline Response stranger(int status, std::string type, std::string body) {
  return {.status = status, .content_type = std::move(type), .body = std::move(body)};
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct Row {
  std::string name;
  Response response;
  Action action;
  PointLoss loss = PointLoss::none;
  std::uint32_t points_lost = 0;
  bool configuration = false;
  bool api_in_doubt = false;
  bool may_be_a_line = false;
  std::vector<std::uint32_t> refused_lines = {};
  std::vector<std::string_view> says = {};
  bool shows_without_points = false;
};

inline void check(const Row& row, const Destination& to = metric,
                  const Payload& payload = hundred_points()) {
  CAPTURE(row.name);
  const Verdict verdict = judge(row.response, payload, to);
  CAPTURE(verdict.message);
  CHECK(verdict.action == row.action);
  CHECK(verdict.loss == row.loss);
  CHECK(verdict.points_lost == row.points_lost);
  CHECK(verdict.configuration == row.configuration);
  CHECK(verdict.api_in_doubt == row.api_in_doubt);
  CHECK(verdict.may_be_a_line == row.may_be_a_line);
  CHECK(verdict.shows_without_points == row.shows_without_points);
  CHECK(verdict.refused_lines == row.refused_lines);
  CHECK(contains(verdict.message, "\n") == false);
  CHECK(verdict.message.empty() == row.says.empty());
  for (const std::string_view part : row.says) {
    CAPTURE(part);
    CHECK(contains(verdict.message, part));
  }
}

}  // namespace tally::testing
