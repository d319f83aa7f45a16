#include "tools/dashboard_query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tally {
namespace {

using Seconds = std::chrono::duration<double>;

/// What is made of the numbers in one step of the chart.
enum class Fold : std::uint8_t { rate, mean, max };

struct Ask {
  Fold fold;
  Place place;
  bool by_host = false;
};

/// A string between two quotes, in which quotes and backslashes have a backslash before them.
std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char byte : text) {
    if (byte == quote || byte == '\\') out += '\\';
    out += byte;
  }
  return out + quote;
}

/// SQL doubles a quote, and knows no backslash.
std::string sql_quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char byte : text) {
    out += byte;
    if (byte == quote) out += quote;
  }
  return out + quote;
}

// ------------------------------------------------------------------------------------ InfluxQL

std::string influxql_where(const Place& place, const QueryContext& context) {
  std::string where;
  for (const StaticTag& tag : place.tags)
    where += fmt::format("{} = {} AND ", quoted(tag.key, '"'), quoted(tag.value, '\''));
  if (context.has_host) where += "\"host\" =~ /^$host$/ AND ";
  return where + "$timeFilter";
}

std::string influxql(std::string_view what, std::string_view fill, const Ask& ask,
                     const QueryContext& context) {
  std::string from = quoted(ask.place.measurement, '"');
  if (!context.retention_policy.empty()) from = quoted(context.retention_policy, '"') + "." + from;
  return fmt::format("SELECT {} FROM {} WHERE {} GROUP BY time($__interval){} fill({})", what, from,
                     influxql_where(ask.place, context), ask.by_host ? ", \"host\"" : "", fill);
}

std::string influxql(const Ask& ask, const QueryContext& context) {
  const std::string field = quoted(ask.place.field, '"');
  switch (ask.fold) {
    case Fold::rate:
      return influxql(fmt::format("sum({}) * 1000 / $__interval_ms", field), "0", ask, context);
    case Fold::mean:
      return influxql(fmt::format("mean({})", field), "null", ask, context);
    case Fold::max:
      return influxql(fmt::format("max({})", field), "null", ask, context);
  }
  return {};  // not reached: the switch is complete
}

// ---------------------------------------------------------------------------------------- Flux

std::string flux_string(std::string_view text) {
  return quoted(text, '"');
}

std::string flux_filter(const Place& place, std::string_view fields, const QueryContext& context) {
  std::string filter =
      fmt::format("r[\"_measurement\"] == {} and {}", flux_string(place.measurement), fields);
  for (const StaticTag& tag : place.tags)
    filter += fmt::format(" and r[{}] == {}", flux_string(tag.key), flux_string(tag.value));
  if (context.has_host) filter += " and r[\"host\"] =~ /^${host:regex}$/";
  return filter;
}

std::string flux_source(const Place& place, std::string_view fields, const QueryContext& context) {
  return fmt::format(
      "from(bucket: {})\n"
      "  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n"
      "  |> filter(fn: (r) => {})\n",
      flux_string(context.bucket), flux_filter(place, fields, context));
}

std::string flux_field(std::string_view field) {
  return fmt::format("r[\"_field\"] == {}", flux_string(field));
}

std::string flux(const Ask& ask, const QueryContext& context) {
  std::string query = flux_source(ask.place, flux_field(ask.place.field), context);
  query += ask.by_host && context.has_host ? "  |> group(columns: [\"host\"])\n" : "  |> group()\n";
  switch (ask.fold) {
    case Fold::rate:
      return query +
             "  |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: true)\n"
             "  |> map(fn: (r) => ({r with _value: if exists r._value then r._value * 1000000000.0 "
             "/ "
             "float(v: int(v: v.windowPeriod)) else 0.0}))";
    case Fold::mean:
      return query + "  |> aggregateWindow(every: v.windowPeriod, fn: mean, createEmpty: false)";
    case Fold::max:
      return query + "  |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false)";
  }
  return {};  // not reached: the switch is complete
}

/// Two fields side by side, and one by the other.
std::string flux_quotient(const Place& above, const Place& below, const QueryContext& context) {
  const std::string fields =
      fmt::format("({} or {})", flux_field(above.field), flux_field(below.field));
  return flux_source(above, fields, context) +
         fmt::format(
             "  |> group(columns: [\"_field\"])\n"
             "  |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)\n"
             "  |> pivot(rowKey: [\"_time\"], columnKey: [\"_field\"], valueColumn: \"_value\")\n"
             "  |> map(fn: (r) => ({{_time: r._time, _value: r[{}] / r[{}]}}))",
             flux_string(above.field), flux_string(below.field));
}

// ----------------------------------------------------------------------------------------- SQL

std::string sql_where(const Place& place, const QueryContext& context) {
  std::string where;
  for (const StaticTag& tag : place.tags)
    where += fmt::format("{} = {} AND ", sql_quoted(tag.key, '"'), sql_quoted(tag.value, '\''));
  if (context.has_host) where += "\"host\" ~ '^${host:regex}$' AND ";
  return where + "$__timeFilter(time)";
}

std::string sql(std::string_view what, const Ask& ask, const QueryContext& context) {
  const bool by_host = ask.by_host && context.has_host;
  return fmt::format(
      "SELECT $__dateBin(time) AS time, {}{} AS \"value\" FROM {} WHERE {} GROUP BY 1{} ORDER BY 1",
      by_host ? "\"host\", " : "", what, sql_quoted(ask.place.measurement, '"'),
      sql_where(ask.place, context), by_host ? ", 2" : "");
}

std::string sql(const Ask& ask, const QueryContext& context) {
  const std::string field = sql_quoted(ask.place.field, '"');
  switch (ask.fold) {
    case Fold::rate:
      // Grafana tells its step as an SQL interval, which cannot divide: the windows are counted.
      return sql(fmt::format("sum({}) / (count(DISTINCT time) * {:.1f})", field,
                             Seconds(context.interval).count()),
                 ask, context);
    case Fold::mean:
      return sql(fmt::format("avg({})", field), ask, context);
    case Fold::max:
      return sql(fmt::format("max({})", field), ask, context);
  }
  return {};  // not reached: the switch is complete
}

// ----------------------------------------------------------------------------------- MetricsQL

/// VictoriaMetrics makes a name of a measurement and a field.
std::string metricsql_series(const Place& place, const QueryContext& context) {
  std::string series =
      fmt::format("{{__name__={}", quoted(place.measurement + "_" + place.field, '"'));
  for (const StaticTag& tag : place.tags)
    series += fmt::format(",{}={}", tag.key, quoted(tag.value, '"'));
  if (context.has_host) series += ",host=~\"$host\"";
  return series + "}[$__interval]";
}

std::string metricsql(const Ask& ask, const QueryContext& context) {
  const std::string series = metricsql_series(ask.place, context);
  const std::string_view by = ask.by_host && context.has_host ? " by (host)" : "";
  switch (ask.fold) {
    case Fold::rate:
      return fmt::format("sum(sum_over_time({})) * 1000 / $__interval_ms", series);
    case Fold::mean:
      return fmt::format("avg(avg_over_time({})){}", series, by);
    case Fold::max:
      return fmt::format("max(max_over_time({})){}", series, by);
  }
  return {};  // not reached: the switch is complete
}

// -------------------------------------------------------------------------------------- in any

std::string in_language(const Ask& ask, const QueryContext& context) {
  switch (context.language) {
    case QueryLanguage::influxql:
      return influxql(ask, context);
    case QueryLanguage::flux:
      return flux(ask, context);
    case QueryLanguage::sql:
      return sql(ask, context);
    case QueryLanguage::metricsql:
      return metricsql(ask, context);
  }
  return {};  // not reached: the switch is complete
}

/// The sum of one field by the sum of another, both of one measurement.
std::string quotient(const Place& above, const Place& below, const QueryContext& context) {
  const Ask ask{Fold::mean, above};
  switch (context.language) {
    case QueryLanguage::influxql:
      return influxql(fmt::format("sum({}) / sum({}) AS \"mean\"", quoted(above.field, '"'),
                                  quoted(below.field, '"')),
                      "null", ask, context);
    case QueryLanguage::flux:
      return flux_quotient(above, below, context);
    case QueryLanguage::sql:
      return sql(fmt::format("sum({}) / sum({})", sql_quoted(above.field, '"'),
                             sql_quoted(below.field, '"')),
                 ask, context);
    case QueryLanguage::metricsql:
      return fmt::format("sum(sum_over_time({})) / sum(sum_over_time({}))",
                         metricsql_series(above, context), metricsql_series(below, context));
  }
  return {};  // not reached: the switch is complete
}

std::optional<std::string> folded(Fold fold, const std::optional<Place>& place,
                                  const QueryContext& context, bool by_host = false) {
  if (!place) return std::nullopt;
  return in_language({fold, *place, by_host && context.has_host}, context);
}

}  // namespace

std::optional<std::string> MetricQueries::rate() const {
  return folded(Fold::rate, place_of(context_.naming, metric_.kind, metric_.name, Stat::count),
                context_);
}

std::optional<std::string> MetricQueries::mean() const {
  const auto place = [&](Stat stat) {
    return place_of(context_.naming, metric_.kind, metric_.name, stat);
  };
  const auto sum = place(Stat::sum), count = place(Stat::count);
  if (sum && count && sum->measurement == count->measurement)
    return quotient(*sum, *count, context_);
  return folded(Fold::mean, place(Stat::mean), context_);
}

std::optional<std::string> MetricQueries::percentile(double percent) const {
  return folded(Fold::max,
                place_of_percentile(context_.naming, metric_.kind, metric_.name, percent),
                context_);
}

std::optional<std::string> MetricQueries::value_by_host() const {
  return folded(Fold::mean, place_of(context_.naming, metric_.kind, metric_.name, Stat::value),
                context_, true);
}

std::optional<std::string> MetricQueries::members() const {
  return folded(Fold::max, place_of(context_.naming, metric_.kind, metric_.name, Stat::count),
                context_);
}

std::string hosts_query(const QueryContext& context, const Metric& any) {
  switch (context.language) {
    case QueryLanguage::influxql:
      return "SHOW TAG VALUES WITH KEY = \"host\"";
    case QueryLanguage::flux:
      return fmt::format(
          "import \"influxdata/influxdb/schema\"\nschema.tagValues(bucket: {}, tag: \"host\")",
          flux_string(context.bucket));
    case QueryLanguage::sql: {
      const Stat stat = any.kind == Kind::gauge ? Stat::value : Stat::count;
      const auto place = place_of(context.naming, any.kind, any.name, stat);
      return fmt::format("SELECT DISTINCT \"host\" FROM {}",
                         sql_quoted(place ? place->measurement : any.name, '"'));
    }
    case QueryLanguage::metricsql:
      return "label_values(host)";
  }
  return {};  // not reached: the switch is complete
}

}  // namespace tally
