#include "tools/dashboard_query.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace tally;

namespace {

const Metric counter{Kind::counter, "api.hits"};
const Metric timer{Kind::timer, "api.time"};
const Metric gauge{Kind::gauge, "queue"};
const Metric set{Kind::set, "users"};

QueryContext in(QueryLanguage language) {
  return {.language = language, .bucket = "metric"};
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("dashboard query: InfluxQL") {
  const QueryContext context = in(QueryLanguage::influxql);
  const std::string where =
      " WHERE \"host\" =~ /^$host$/ AND $timeFilter GROUP BY time($__interval)";
  CHECK(MetricQueries(context, counter).rate() ==
        "SELECT sum(\"count\") * 1000 / $__interval_ms FROM \"api.hits.count\"" + where +
            " fill(0)");
  CHECK(MetricQueries(context, timer).mean() ==
        "SELECT sum(\"sum\") / sum(\"count\") AS \"mean\" FROM \"api.time.timer\"" + where +
            " fill(null)");
  CHECK(MetricQueries(context, timer).percentile(99.9) ==
        "SELECT max(\"p999\") FROM \"api.time.timer\"" + where + " fill(null)");
  CHECK(MetricQueries(context, gauge).value_by_host() ==
        "SELECT mean(\"value\") FROM \"queue.gauge\"" + where + ", \"host\" fill(null)");
  CHECK(MetricQueries(context, set).members() ==
        "SELECT max(\"count\") FROM \"users.set\"" + where + " fill(null)");
  CHECK(hosts_query(context, counter) == "SHOW TAG VALUES WITH KEY = \"host\"");
}

TEST_CASE("dashboard query: Flux") {
  const QueryContext context = in(QueryLanguage::flux);
  CHECK(MetricQueries(context, counter).rate() ==
        R"(from(bucket: "metric")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r["_measurement"] == "api.hits.count" and r["_field"] == "count" and r["host"] =~ /^${host:regex}$/)
  |> group()
  |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: true)
  |> map(fn: (r) => ({r with _value: if exists r._value then r._value * 1000000000.0 / float(v: int(v: v.windowPeriod)) else 0.0})))");
  CHECK(MetricQueries(context, timer).mean() ==
        R"(from(bucket: "metric")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r["_measurement"] == "api.time.timer" and (r["_field"] == "sum" or r["_field"] == "count") and r["host"] =~ /^${host:regex}$/)
  |> group(columns: ["_field"])
  |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> map(fn: (r) => ({_time: r._time, _value: r["sum"] / r["count"]})))");
  CHECK(
      contains(*MetricQueries(context, gauge).value_by_host(), "|> group(columns: [\"host\"])\n"));
  CHECK(contains(*MetricQueries(context, timer).percentile(95), "fn: max"));
  CHECK(contains(hosts_query(context, counter),
                 "schema.tagValues(bucket: \"metric\", tag: \"host\")"));
}

TEST_CASE("dashboard query: SQL") {
  QueryContext context = in(QueryLanguage::sql);
  context.naming.measurement = MeasurementPer::type;
  const std::string where =
      R"( WHERE "metric" = 'api.time' AND "host" ~ '^${host:regex}$' AND $__timeFilter(time))";
  CHECK(MetricQueries(context, timer).mean() ==
        R"(SELECT $__dateBin(time) AS time, sum("sum") / sum("count") AS "value" FROM "timer")" +
            where + " GROUP BY 1 ORDER BY 1");
  CHECK(
      MetricQueries(context, timer).rate() ==
      R"(SELECT $__dateBin(time) AS time, sum("count") / (count(DISTINCT time) * 10.0) AS "value" FROM "timer")" +
          where + " GROUP BY 1 ORDER BY 1");
  CHECK(contains(*MetricQueries(context, gauge).value_by_host(),
                 "AS time, \"host\", avg(\"value\")"));
  CHECK(contains(*MetricQueries(context, gauge).value_by_host(), "GROUP BY 1, 2 ORDER BY 1"));
  CHECK(hosts_query(context, counter) == "SELECT DISTINCT \"host\" FROM \"counter\"");
}

TEST_CASE("dashboard query: MetricsQL") {
  const QueryContext context = in(QueryLanguage::metricsql);
  CHECK(
      MetricQueries(context, counter).rate() ==
      R"(sum(sum_over_time({__name__="api.hits.count_count",host=~"$host"}[$__interval])) * 1000 / $__interval_ms)");
  CHECK(
      MetricQueries(context, timer).mean() ==
      R"(sum(sum_over_time({__name__="api.time.timer_sum",host=~"$host"}[$__interval])) / sum(sum_over_time({__name__="api.time.timer_count",host=~"$host"}[$__interval])))");
  CHECK(
      MetricQueries(context, gauge).value_by_host() ==
      R"(avg(avg_over_time({__name__="queue.gauge_value",host=~"$host"}[$__interval])) by (host))");
  CHECK(MetricQueries(context, timer).percentile(99) ==
        R"(max(max_over_time({__name__="api.time.timer_p99",host=~"$host"}[$__interval])))");
  CHECK(hosts_query(context, counter) == "label_values(host)");
}

TEST_CASE("dashboard query: names of other writers are asked for where those write them") {
  QueryContext context = in(QueryLanguage::influxql);
  context.naming.profile = Profile::telegraf;
  CHECK(contains(*MetricQueries(context, counter).rate(),
                 "sum(\"value\") * 1000 / $__interval_ms FROM \"api_hits\" WHERE \"metric_type\" = "
                 "'counter' AND "));
  context.naming.profile = Profile::etsy;
  CHECK(contains(*MetricQueries(context, timer).mean(),
                 "mean(\"value\") FROM \"api.time.timer.mean\""));
  CHECK(contains(*MetricQueries(context, timer).percentile(95),
                 "max(\"value\") FROM \"api.time.timer.upper_95\""));
  context.naming.profile = Profile::go_metrics;
  CHECK(contains(*MetricQueries(context, timer).mean(), "mean(\"mean\") FROM \"api.time.timer\""));
  CHECK_FALSE(MetricQueries(context, gauge).percentile(95));
  CHECK_FALSE(MetricQueries(context, counter).mean());
}

TEST_CASE("dashboard query: a retention policy and points without a host are minded") {
  QueryContext context = in(QueryLanguage::influxql);
  context.retention_policy = "one \"week\"";
  context.has_host = false;
  CHECK(
      MetricQueries(context, gauge).value_by_host() ==
      "SELECT mean(\"value\") FROM \"one \\\"week\\\"\".\"queue.gauge\" WHERE $timeFilter GROUP BY "
      "time($__interval) fill(null)");
  for (const QueryLanguage language : {QueryLanguage::influxql, QueryLanguage::flux,
                                       QueryLanguage::sql, QueryLanguage::metricsql}) {
    context.language = language;
    for (const auto& query :
         {MetricQueries(context, gauge).value_by_host(), MetricQueries(context, counter).rate(),
          MetricQueries(context, timer).mean()})
      CHECK_FALSE(contains(*query, "host"));
  }
}

TEST_CASE("dashboard query: a hostile name stays inside its quotes") {
  const Metric hostile{Kind::counter, R"(a" OR 'b'/*c)"};
  CHECK(contains(*MetricQueries(in(QueryLanguage::influxql), hostile).rate(),
                 R"(FROM "a\" OR 'b'/*c.count" WHERE)"));
  CHECK(contains(*MetricQueries(in(QueryLanguage::flux), hostile).rate(),
                 R"(== "a\" OR 'b'/*c.count" and)"));
  CHECK(contains(*MetricQueries(in(QueryLanguage::sql), hostile).rate(),
                 R"(FROM "a"" OR 'b'/*c.count" WHERE)"));
  QueryContext per_type = in(QueryLanguage::sql);
  per_type.naming.measurement = MeasurementPer::type;
  CHECK(contains(*MetricQueries(per_type, hostile).rate(), R"("metric" = 'a" OR ''b''/*c' AND)"));
  CHECK(contains(*MetricQueries(in(QueryLanguage::metricsql), hostile).rate(),
                 R"({__name__="a\" OR 'b'/*c.count_count",)"));
}
