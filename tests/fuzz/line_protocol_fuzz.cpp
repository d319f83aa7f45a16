// Any name, tags and number, as far as the parser lets them through: what is written is one line,
// and the strict reader reads the same point back from it.
//
//     kind  interval  number (8 bytes)  name  0xff  key  0xff  value  0xff  key  0xff  value ..
//
// 0xff stands in no UTF-8 text. A value of one byte 0xfe makes the tag bare.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "escapes.hpp"
#include "fuzz_target.hpp"
#include "line_reader.hpp"
#include "naive.hpp"
#include "naive_text.hpp"
#include "tally/encode.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

constexpr std::size_t header_bytes = 10;
constexpr std::size_t tags_max = 64;
const std::vector<StaticTag> static_tags = {{"dc", "eu west"}, {"host", "a,b=c"}};

struct Input {
  NaiveSample sample;
  double number = 0;  ///< may be anything, also NaN
  bool in_milliseconds = false;
};

[[noreturn]] void fail(const Input& input, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", describe(input.sample).c_str(), what.c_str());
  std::abort();
}

std::vector<std::string> split_pieces(std::string_view bytes) {
  std::vector<std::string> pieces(1);
  for (const char c : bytes) {
    if (c == '\xff') {
      pieces.emplace_back();
    } else {
      pieces.back() += c;
    }
  }
  return pieces;
}

/// Nothing if the parser would not let such a sample through.
std::optional<Input> read_input(std::string_view bytes) {
  if (bytes.size() < header_bytes) return std::nullopt;
  Input input;
  input.sample.kind = static_cast<Kind>(static_cast<unsigned char>(bytes[0]) % value_kind_count);
  input.in_milliseconds = bytes[1] % 2 != 0;
  std::memcpy(&input.number, bytes.data() + 2, sizeof input.number);
  const auto pieces = split_pieces(bytes.substr(header_bytes));
  input.sample.name = pieces[0];
  if (input.sample.name.empty() || !naive_is_utf8(input.sample.name)) return std::nullopt;
  for (std::size_t i = 1; i + 1 < pieces.size() && input.sample.tags.size() < tags_max; i += 2) {
    NaiveTag tag{pieces[i], pieces[i + 1]};
    if (*tag.value == "\xfe") tag.value.reset();
    if (!naive_is_utf8(tag.key) || !naive_is_utf8(tag.value.value_or(""))) return std::nullopt;
    input.sample.tags.push_back(std::move(tag));
  }
  return input;
}

/// A snapshot of one point; all its fields are finite but for the stddev.
Snapshot snapshot_of(const Input& input, std::string_view key) {
  const double number = std::isfinite(input.number) ? input.number : 1;
  const std::chrono::milliseconds interval(input.in_milliseconds ? 100 : 10'000);
  Snapshot snapshot;
  snapshot.span = {WallTime(std::chrono::milliseconds(1'700'000'000'000) + interval), interval};
  snapshot.percents = {50, 99.9};
  switch (input.sample.kind) {
    case Kind::counter:
      snapshot.counters = {{key, number, number / 3}};
      break;
    case Kind::gauge:
      snapshot.gauges = {{key, number}};
      break;
    case Kind::set:
      snapshot.sets = {{key, number}};
      break;
    default:
      snapshot.timers = {{key, 1, 2, 3, 4, 5, input.number, 0}};
      snapshot.percentiles = {number, 7};
  }
  return snapshot;
}

/// The fields that the point must have.
std::map<std::string, double> expected_fields(const Snapshot& snapshot) {
  if (!snapshot.counters.empty()) {
    return {{"count", snapshot.counters[0].count}, {"rate", snapshot.counters[0].rate}};
  }
  if (!snapshot.gauges.empty()) return {{"value", snapshot.gauges[0].value}};
  if (!snapshot.sets.empty()) return {{"count", snapshot.sets[0].count}};
  std::map<std::string, double> fields = {
      {"count", 1}, {"mean", 2}, {"min", 3}, {"max", 4}, {"sum", 5}};
  if (std::isfinite(snapshot.timers[0].stddev)) fields["stddev"] = snapshot.timers[0].stddev;
  fields["p50"] = snapshot.percentiles[0];
  fields["p999"] = snapshot.percentiles[1];
  return fields;
}

std::string expected_measurement(const NaiveSeries& series) {
  return series.name + "." +
         (series.kind == Kind::counter ? "count" : std::string(to_string(series.kind)));
}

void check_point(const Input& input, const Snapshot& snapshot, const ParsedPoint& point) {
  NaiveSeries series = naive_series(input.sample, static_tags);
  for (const StaticTag& tag : static_tags) series.tags.emplace(tag.key, tag.value);
  const std::map<std::string, std::string> tags(point.tags.begin(), point.tags.end());
  const std::map<std::string, double> fields(point.fields.begin(), point.fields.end());
  const auto stamp = snapshot.span.start.time_since_epoch().count();
  if (point.measurement != expected_measurement(series)) fail(input, "another measurement");
  if (tags != series.tags) fail(input, "other tags");
  if (fields != expected_fields(snapshot)) fail(input, "other fields");
  if (point.stamp != (input.in_milliseconds ? stamp : stamp / 1000)) fail(input, "another stamp");
}

std::vector<Tag> views_of(const std::vector<NaiveTag>& tags) {
  std::vector<Tag> views;
  for (const NaiveTag& tag : tags) {
    views.push_back({tag.key, tag.value ? std::string_view(*tag.value) : "", !tag.value});
  }
  return views;
}

/// Whatever names are chosen, influxd stores what is written.
void check_profiles(const Input& input, const Snapshot& snapshot) {
  for (const Profile profile : {Profile::go_metrics, Profile::telegraf, Profile::gostatsd,
                                Profile::etsy, Profile::native}) {
    const Naming naming{.prefix = "p ",
                        .static_tags = static_tags,
                        .profile = profile,
                        .measurement = MeasurementPer::type};
    for (const Payload& payload : encode_influx(snapshot, naming)) {
      const auto points = read_body(payload.body);
      if (!points) fail(input, "influxd would not store " + escape(payload.body));
      if (points->size() != payload.points) fail(input, "another number of points");
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = read_input({reinterpret_cast<const char*>(data), size});
  if (!input) return 0;
  SeriesKeyBuilder builder(static_tags);
  const auto tags = views_of(input->sample.tags);
  const std::string key(builder.build(input->sample.kind, input->sample.name, tags));
  const Snapshot snapshot = snapshot_of(*input, key);
  const auto payloads = encode_influx(snapshot, {.prefix = "", .static_tags = static_tags});
  if (payloads.size() != 1 || payloads[0].points != 1) fail(*input, "not one point");
  const auto points = read_body(payloads[0].body);
  if (!points) fail(*input, "influxd would not store " + escape(payloads[0].body));
  if (points->size() != 1) fail(*input, "not one line");
  if ((payloads[0].precision == Precision::milliseconds) != input->in_milliseconds)
    fail(*input, "another precision");
  check_point(*input, snapshot, points->front());
  check_profiles(*input, snapshot);
  return 0;
}
