#pragma once
// How each server that speaks line protocol, and InfluxDB 0.8, answers a request, and what it then
// holds. No sockets: a request in, an answer out.
//
// The answers are those of ../shared/design/influxdb.md: 1.x as influxd 1.6.7 gave them in trials
// (2.1, 2.3), the others as their sources have them (2.5, 2.7). Lines are read by `read_line`, so a
// line that tallyd must never write is a bad line here, whatever the real server would make of it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http_message.hpp"
#include "json_value.hpp"
#include "stored_points.hpp"

namespace tally::testing {

enum class ServerKind : std::uint8_t { influx_0_8, influx_1, influx_2, influx_3, victoria_metrics };

/// What a server was configured to be, and what else is in it.
struct FakeInfluxRules {
  std::string version;                           ///< "" is a usual one of its kind
  std::set<std::string> databases = {"metric"};  ///< of 2.x the buckets
  std::string user;                              ///< "" asks for none
  std::string password;
  std::string token;               ///< of 2.x and 3.x; "" asks for none
  bool may_write = true;           ///< else 403
  std::size_t series_max = 0;      ///< of 3.x tables; 0 is no limit
  std::size_t body_bytes_max = 0;  ///< as sent; 0 is no limit
  /// Older points are beyond the retention policy. Nanoseconds.
  std::int64_t oldest_ns = std::numeric_limits<std::int64_t>::min();
  /// Fields (measurement, field) that someone else wrote with another type than float: "integer".
  std::map<std::pair<std::string, std::string>, std::string> field_types;
  /// Why the server cannot parse a line; "" if it can. A test's stand-in for what tallyd never
  /// writes; lines that `read_line` refuses are bad in any case.
  std::function<std::string(std::string_view line)> refuse;
  /// Lines that make the server answer 500 and store nothing of the request, as 1.6.7 does for 100
  /// tags or a shard that cannot open.
  std::function<bool(std::string_view line)> breaks;
};

class FakeInflux {
 public:
  explicit FakeInflux(ServerKind kind, FakeInfluxRules rules = {});

  HttpReply answer(const HttpMessage& request);

  const StoredPoints& points() const { return points_; }
  FakeInfluxRules& rules() { return rules_; }
  ServerKind kind() const { return kind_; }
  /// 0.8: values written without point and exponent, which it would store as integers.
  std::uint64_t integers() const { return integers_; }

 private:
  struct BadLine {
    std::size_t number;  ///< from 1
    std::string text;
    std::string reason;
  };
  /// What became of the lines of one body.
  struct Outcome {
    std::size_t good = 0;  ///< lines that parse
    std::vector<BadLine> unparsed;
    std::vector<BadLine> dropped;  ///< parsed and not stored
    std::string reason;            ///< why, of the first kind met
    bool breaks = false;
  };
  struct Batch {
    std::vector<ParsedPoint> points;
    std::vector<BadLine> sources;  ///< of `points`, one each, without a reason
  };

  HttpReply answer_0_8(const HttpMessage& request);
  HttpReply answer_1(const HttpMessage& request);
  HttpReply answer_2(const HttpMessage& request);
  HttpReply answer_3(const HttpMessage& request);
  HttpReply answer_victoria(const HttpMessage& request);

  HttpReply write_1(const HttpMessage& request);
  HttpReply write_2(const HttpMessage& request);
  HttpReply write_3(const HttpMessage& request, const std::string& database);
  HttpReply write_victoria(const HttpMessage& request);
  HttpReply create_1(const HttpMessage& request);
  HttpReply series_0_8(const HttpMessage& request);
  HttpReply create_0_8(const HttpMessage& request);

  HttpReply json_error(int status, const std::string& text) const;
  HttpReply code_error(int status, const std::string& code, const std::string& text) const;
  HttpReply plain(int status, const std::string& text) const;
  HttpReply named(HttpReply reply) const;
  std::string version() const;

  bool is_user(const HttpMessage& request) const;
  bool has_credentials(const HttpMessage& request) const;
  bool is_too_large(const HttpMessage& request) const;
  bool has_token(const HttpMessage& request) const;

  Batch parse(const std::string& body, std::int64_t unit_ns, Outcome& outcome) const;
  std::string why_unparsed(const std::string& line) const;
  void store(const Batch& batch, Outcome& outcome);
  std::string conflict_of(const ParsedPoint& point) const;
  std::vector<bool> beyond_series_limit(const Batch& batch) const;
  bool would_create_table(const Batch& batch) const;
  bool store_series(const JsonValue& series, std::int64_t unit_ns);

  ServerKind kind_;
  FakeInfluxRules rules_;
  StoredPoints points_;
  std::uint64_t integers_ = 0;
  std::uint64_t next_sequence_ = 1'000'000;  // of 0.8, for points that bring none
};

/// A string as JSON has it, quotes included.
std::string json_string(std::string_view text);

}  // namespace tally::testing
