#pragma once
// One number of a metric over time, asked for in the languages of Grafana's data sources. Pure.
//
//     influxql    InfluxDB 1, and 3 too       SELECT .. FROM "a.count" WHERE $timeFilter ..
//     flux        InfluxDB 2                  from(bucket: ..) |> range(..) |> ..
//     sql         InfluxDB 3                  SELECT $__dateBin(time) AS time, ..
//     metricsql   VictoriaMetrics             sum(sum_over_time({__name__="a.count_count"}[..]))

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "encode/place.hpp"
#include "tally/sample.hpp"

namespace tally {

enum class QueryLanguage : std::uint8_t { influxql, flux, sql, metricsql };
inline constexpr std::string_view query_language_names[] = {"influxql", "flux", "sql", "metricsql"};

/// What all queries of a dashboard share.
struct QueryContext {
  QueryLanguage language = QueryLanguage::influxql;
  Naming naming;
  std::chrono::milliseconds interval{10'000};  ///< of a window
  std::string bucket;                          ///< flux
  std::string retention_policy;                ///< influxql; "" is the database's default
  bool has_host = true;                        ///< points have a tag `host`, chosen by $host
};

struct Metric {
  Kind kind;
  std::string name;

  friend auto operator<=>(const Metric&, const Metric&) = default;
};

/// Queries of one metric, over all of its tags and the hosts that are chosen. Each is nothing if
/// the naming does not write what it needs.
class MetricQueries {
 public:
  /// Both must outlive it.
  MetricQueries(const QueryContext& context, const Metric& metric)
      : context_(context), metric_(metric) {}

  std::optional<std::string> rate() const;  ///< counts per second; idle times are 0 but in SQL
  std::optional<std::string> mean() const;  ///< of timers: each value with the same weight
  /// Of the worst window: percentiles of several windows or hosts have no mean.
  std::optional<std::string> percentile(double percent) const;
  std::optional<std::string> value_by_host() const;  ///< of gauges
  std::optional<std::string> members() const;        ///< of sets, in the fullest window

 private:
  const QueryContext& context_;
  const Metric& metric_;
};

/// What fills the choice of hosts; `any` is a metric that is written.
std::string hosts_query(const QueryContext& context, const Metric& any);

}  // namespace tally
