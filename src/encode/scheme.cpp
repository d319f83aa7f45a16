// Names as these writers give them to InfluxDB, read in their sources in November 2026:
//
//   go-metrics  rcrowley/go-metrics, influxdb/influxdb.go; without the moving averages one-minute,
//               five-minute and fifteen-minute, which no window can know
//   telegraf    influxdata/telegraf, plugins/inputs/statsd/statsd.go, with its default template
//   gostatsd    atlassian/gostatsd, pkg/backends/influxdb/flush.go
//   etsy        etsy/statsd, lib/process_metrics.js, by bernd/statsd-influxdb-backend,
//               lib/influxdb.js: a measurement for each statistic, its field is `value`
//
// What a writer has no word for (sets in go-metrics; histograms and distributions in etsy) is
// called as natively, so that nothing is lost.

#include "encode/scheme.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "tally/encode.hpp"

namespace tally {
namespace {

std::string without_point(double percent) {
  return percentile_field(percent).substr(1);
}

std::string as_it_is(double percent) {
  return fmt::format("{}", percent);
}

std::string with_underscore(double percent) {
  std::string text = as_it_is(percent);
  std::ranges::replace(text, '.', '_');
  return text;
}

constexpr Field value[] = {{Stat::value, ",value="}};
constexpr Field count[] = {{Stat::count, ",count="}};
constexpr Field count_as_value[] = {{Stat::count, ",value="}};
constexpr Field count_and_rate[] = {{Stat::count, ",count="}, {Stat::rate, ",rate="}};

// native

constexpr Field native_timer[] = {{Stat::count, ",count="}, {Stat::mean, ",mean="},
                                  {Stat::min, ",min="},     {Stat::max, ",max="},
                                  {Stat::sum, ",sum="},     {Stat::stddev, ",stddev="}};
constexpr PercentField native_percentile[] = {{PercentStat::percentile, "p", ""}};

constexpr Scheme native = {
    .kinds = {{{".count", "counter", count_and_rate, {}},
               {".gauge", "gauge", value, {}},
               {".timer", "timer", native_timer, native_percentile},
               {".histogram", "histogram", native_timer, native_percentile},
               {".distribution", "distribution", native_timer, native_percentile},
               {".set", "set", count, {}}}},
    .percent = without_point,
    .type_tag = "",
    .name_tag = "",
    .renames_tags = false};  // SeriesKeyBuilder did

constexpr Scheme native_per_type = {
    .kinds = native.kinds, .percent = without_point, .type_tag = "", .name_tag = "metric"};

// go-metrics

constexpr Field go_timer[] = {{Stat::count, ",count="},    {Stat::min, ",min="},
                              {Stat::max, ",max="},        {Stat::mean, ",mean="},
                              {Stat::stddev, ",std-dev="}, {Stat::rate, ",mean-rate="}};
constexpr std::span<const Field> go_histogram = std::span(go_timer).first(5);
constexpr PercentField go_percentile[] = {{PercentStat::percentile, "", "-percentile"}};

constexpr Scheme go_metrics = {.kinds = {{{".count", "", count, {}},
                                          {".value", "", value, {}},
                                          {".timer", "", go_timer, go_percentile},
                                          {".histogram", "", go_histogram, go_percentile},
                                          {".distribution", "", go_histogram, go_percentile},
                                          {".set", "", count, {}}}},
                               .percent = without_point,
                               .type_tag = "",
                               .name_tag = ""};

// telegraf

constexpr Field telegraf_timer[] = {{Stat::mean, ",mean="},     {Stat::median, ",median="},
                                    {Stat::stddev, ",stddev="}, {Stat::sum, ",sum="},
                                    {Stat::max, ",upper="},     {Stat::min, ",lower="},
                                    {Stat::count, ",count="}};
constexpr PercentField telegraf_percentile[] = {{PercentStat::percentile, "", "_percentile"}};

constexpr Scheme telegraf = {.kinds = {{{"", "counter", count_as_value, {}},
                                        {"", "gauge", value, {}},
                                        {"", "timing", telegraf_timer, telegraf_percentile},
                                        {"", "histogram", telegraf_timer, telegraf_percentile},
                                        {"", "distribution", telegraf_timer, telegraf_percentile},
                                        {"", "set", count_as_value, {}}}},
                             .percent = as_it_is,
                             .type_tag = "metric_type",
                             .name_tag = "",
                             .underscores_dots = true};

// gostatsd and etsy

constexpr PercentField lowest[] = {{PercentStat::count, "count_", ""},
                                   {PercentStat::mean, "mean_", ""},
                                   {PercentStat::upper, "upper_", ""},
                                   {PercentStat::sum, "sum_", ""},
                                   {PercentStat::sum_squares, "sum_squares_", ""}};

constexpr Field gostatsd_timer[] = {
    {Stat::min, ",lower="},     {Stat::max, ",upper="}, {Stat::count, ",count="},
    {Stat::rate, ",rate="},     {Stat::mean, ",mean="}, {Stat::median, ",median="},
    {Stat::stddev, ",stddev="}, {Stat::sum, ",sum="},   {Stat::sum_squares, ",sum_squares="}};

constexpr Scheme gostatsd = {.kinds = {{{"", "", count_and_rate, {}},
                                        {"", "", value, {}},
                                        {"", "", gostatsd_timer, lowest},
                                        {"", "", gostatsd_timer, lowest},
                                        {"", "", gostatsd_timer, lowest},
                                        {"", "", count, {}}}},
                             // gostatsd cuts the fraction: 99 and 99.9 would be one field.
                             .percent = with_underscore,
                             .type_tag = "",
                             .name_tag = ""};

constexpr Field etsy_timer[] = {{Stat::stddev, ",std="},
                                {Stat::max, ",upper="},
                                {Stat::min, ",lower="},
                                {Stat::count, ",count="},
                                {Stat::rate, ",count_ps="},
                                {Stat::sum, ",sum="},
                                {Stat::sum_squares, ",sum_squares="},
                                {Stat::mean, ",mean="},
                                {Stat::median, ",median="}};

constexpr Scheme etsy = {.kinds = {{{".counter", "", count_as_value, {}},
                                    {".gauge", "", value, {}},
                                    {".timer", "", etsy_timer, lowest},
                                    {".histogram", "", etsy_timer, lowest},
                                    {".distribution", "", etsy_timer, lowest},
                                    {"_count", "", count_as_value, {}}}},
                         .percent = with_underscore,
                         .type_tag = "",
                         .name_tag = "",
                         .is_point_per_field = true};

}  // namespace

std::string percentile_name(const Scheme& scheme, const PercentField& field, double percent) {
  return fmt::format("{}{}{}", field.before, scheme.percent(percent), field.behind);
}

const Scheme& scheme_of(Profile profile, MeasurementPer measurement) {
  switch (profile) {
    case Profile::native:
      return measurement == MeasurementPer::type ? native_per_type : native;
    case Profile::go_metrics:
      return go_metrics;
    case Profile::telegraf:
      return telegraf;
    case Profile::gostatsd:
      return gostatsd;
    case Profile::etsy:
      return etsy;
  }
  return native;  // not reached: the switch is complete
}

}  // namespace tally
