#include "daemon/explain.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <istream>
#include <iterator>
#include <ostream>
#include <utility>

#include "config/reason_words.hpp"
#include "daemon/sources.hpp"
#include "daemon/wall_clock.hpp"
#include "tally/carry.hpp"
#include "tally/ingest.hpp"
#include "tally/parse.hpp"
#include "tally/text.hpp"
#include "tally/window_clock.hpp"

namespace tally {
namespace {

std::string number(double value) {
  std::string out;
  append_number(out, value);
  return out;
}

std::string value_in_words(const Sample& sample, const Batch& batch) {
  if (sample.kind == Kind::event) return "says " + quote(batch.notices[sample.notice].text);
  if (sample.kind == Kind::service_check) {
    const Notice& notice = batch.notices[sample.notice];
    return fmt::format("= {}{}", notice.status,
                       notice.text.empty() ? "" : ", " + quote(notice.text));
  }
  if (sample.kind == Kind::set) return "holds " + quote(sample.member);
  if (sample.is_delta) return "moves by " + number(sample.value);
  std::string words = "= " + number(sample.value);
  if (sample.rate != 1)
    words += fmt::format(", sample rate {}: stands for {}", number(sample.rate),
                         number(1 / sample.rate));
  return words;
}

std::string time_in_words(std::int64_t time, bool is_ignored) {
  constexpr std::int64_t year_10000 = 253'402'300'800;
  if (time == 0) return "";
  if (time >= year_10000) return ", its own time is no time in seconds and is not used";
  return fmt::format(", at {:%Y-%m-%d %H:%M:%S} UTC by its own clock{}",
                     std::chrono::sys_seconds(std::chrono::seconds(time)),
                     is_ignored ? ", which is too far off to be used (limits.lateness)" : "");
}

std::string tags_in_words(std::span<const Tag> tags) {
  std::string words;
  for (const Tag& tag : tags) {
    words += words.empty() ? ", tags " : " ";
    words += tag.bare ? quote(tag.key) : quote(tag.key) + "=" + quote(tag.value);
  }
  return words;
}

void append_json_tags(std::string& out, std::span<const Tag> tags) {
  out += "\"tags\":{";
  const std::size_t begin = out.size();
  for (auto tag = tags.begin(); tag != tags.end(); ++tag) {
    const auto has_this_key = [&](const Tag& later) { return later.key == tag->key; };
    if (tag->key.empty() || std::any_of(std::next(tag), tags.end(), has_this_key)) continue;
    if (out.size() > begin) out += ',';
    append_json_string(out, tag->key);
    out += ':';
    if (tag->bare)
      out += "true";
    else
      append_json_string(out, tag->value);
  }
  out += '}';
}

void append_json_notice(std::string& out, const Sample& sample, const Notice& notice) {
  const auto append = [&](std::string_view name, std::string_view text) {
    out += fmt::format("\"{}\":", name);
    append_json_string(out, unescape_notice(text));
    out += ',';
  };
  const auto append_given = [&](std::string_view name, std::string_view text) {
    if (!text.empty()) append(name, text);
  };
  if (sample.kind == Kind::event) {
    append("title", sample.name);
    append("text", notice.text);
  } else {
    append("name", sample.name);
    out += fmt::format("\"status\":{},", notice.status);
    append_given("message", notice.text);
  }
  if (notice.time > 0) out += fmt::format("\"timestamp\":{},", notice.time);
  append_given("host", notice.host);
  append_given("priority", notice.priority);
  append_given("alert_type", notice.alert);
  append_given("aggregation_key", notice.key);
  append_given("source_type_name", notice.source);
}

void append_json_sample(std::string& out, const Sample& sample, const Batch& batch) {
  out += "{\"kind\":\"";
  out += to_string(sample.kind);
  out += "\",";
  if (is_notice(sample.kind)) {
    append_json_notice(out, sample, batch.notices[sample.notice]);
    append_json_tags(out, batch.tags_of(sample));
    out += '}';
    return;
  }
  out += "\"name\":";
  append_json_string(out, sample.name);
  if (sample.kind == Kind::set) {
    out += ",\"member\":";
    append_json_string(out, sample.member);
  } else {
    out += ",\"value\":";
    append_number(out, sample.value);
  }
  if (sample.kind == Kind::gauge) out += sample.is_delta ? ",\"delta\":true" : ",\"delta\":false";
  if (sample.rate != 1) {
    out += ",\"rate\":";
    append_number(out, sample.rate);
  }
  if (sample.time != 0) out += fmt::format(",\"time\":{}", sample.time);
  out += ',';
  append_json_tags(out, batch.tags_of(sample));
  out += '}';
}

/// "name":[..], with `append` for each element.
template <class Range, class Append>
void append_json_array(std::string& out, std::string_view name, const Range& range, Append append) {
  out += '"';
  out += name;
  out += "\":[";
  bool is_first = true;
  for (const auto& element : range) {
    if (!is_first) out += ',';
    is_first = false;
    append(element);
  }
  out += ']';
}

std::vector<std::string> lines_of(const std::vector<Payload>& payloads) {
  std::vector<std::string> lines;
  for (const Payload& payload : payloads) {
    std::string_view rest = payload.body;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      lines.emplace_back(rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
  return lines;
}

/// What `\x4f` and the like stand for; the number of bytes that were read, 0 if it is no escape.
std::size_t read_escape(std::string_view text, char& byte) {
  if (text.size() < 2) return 0;
  switch (text[1]) {
    case 'n':
      byte = '\n';
      return 2;
    case 't':
      byte = '\t';
      return 2;
    case 'r':
      byte = '\r';
      return 2;
    case '\\':
      byte = '\\';
      return 2;
    default:
      break;
  }
  if (text[1] != 'x' || text.size() < 4) return 0;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 4, value, 16);
  if (error != std::errc() || end != text.data() + 4) return 0;
  byte = static_cast<char>(value);
  return 4;
}

}  // namespace

std::string unescape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('\\'), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    char byte = '\\';
    const std::size_t read = read_escape(text, byte);
    out += byte;
    text.remove_prefix(std::max<std::size_t>(read, 1));
  }
  return out;
}

Explainer::Explainer(const Config& config, std::vector<StaticTag> static_tags)
    : config_(config),
      rules_{.series_max = config.limits.series,
             .set_members_exact = config.limits.set_members,
             .hash_seed = 0,  // no stranger sends here
             .static_tags = static_tags},
      naming_{.prefix = config.output.prefix,
              .static_tags = std::move(static_tags),
              .profile = config.output.naming,
              .measurement = config.output.measurement},
      table_(rules_) {}

std::optional<Reason> Explainer::add_sample(const Sample& sample) {
  if (is_notice(sample.kind)) return std::nullopt;
  Sample placed = sample;
  if (placed.time != 0 &&
      timing_of(placed.time, now_, opened_, config_.limits.lateness) != Timing::late)
    placed.time = 0;
  return reason_of(table_.add(placed, batch_.tags_of(sample), Instant{}));
}

bool Explainer::is_ignored(std::int64_t time) const {
  return time != 0 && timing_of(time, now_, opened_, config_.limits.lateness) == Timing::ignored;
}

/// A line is shown as taken or as refused, never as both.
void Explainer::add_line(const Line& line) {
  std::optional<Reason> reason;
  const auto samples = std::span(batch_.samples).subspan(line.first, line.count);
  for (const Sample& sample : samples) {
    if (const auto why = add_sample(sample)) reason = why;
  }
  if (reason)
    refused_.push_back({*reason, 0, line.text});
  else
    samples_.insert(samples_.end(), samples.begin(), samples.end());
}

void Explainer::digest(std::string_view datagram, WallTime now) {
  batch_.clear();
  samples_.clear();
  table_.clear();
  parse_datagram(datagram, config_.parse, batch_);
  refused_ = batch_.refused;
  const Span window = WindowClock(config_.flush.interval, now).cut(now).span;
  now_ = now;
  opened_ = window.start;
  for (const Line& line : batch_.lines) add_line(line);
  std::ranges::stable_sort(refused_, {},
                           [](const Refusal& refusal) { return refusal.line.data(); });

  Carry carry({.percents = config_.flush.percentiles,
               .gauge_ttl = config_.gauges.ttl,
               .details = needs_details(naming_.profile)});
  points_ = lines_of(encode_influx(carry.close(table_, window), naming_));
  std::vector<StampedNotice> notices;
  for (const Line& line : batch_.lines) {
    if (is_notice(batch_.samples[line.first].kind))
      notices.push_back({std::string(line.text), now});
  }
  std::ranges::move(lines_of(encode_notices(notices, naming_)), std::back_inserter(points_));
}

std::string Explainer::text(std::string_view datagram, WallTime now) {
  digest(datagram, now);
  std::string out;
  for (const Sample& sample : samples_)
    out += fmt::format("{} {} {}{}{}\n", to_string(sample.kind), quote(sample.name),
                       value_in_words(sample, batch_),
                       time_in_words(sample.time, is_ignored(sample.time)),
                       tags_in_words(batch_.tags_of(sample)));
  for (const Refusal& refusal : refused_) out += describe(refusal, config_);
  if (!points_.empty()) out += "written:\n";
  for (const std::string& point : points_) out += "  " + point + "\n";
  return out.empty() ? "an empty datagram: nothing is counted, nothing is refused\n" : out;
}

std::string Explainer::json(std::string_view datagram, WallTime now) {
  digest(datagram, now);
  std::string out = "{";
  append_json_array(out, "samples", samples_,
                    [&](const Sample& sample) { append_json_sample(out, sample, batch_); });
  out += ',';
  append_json_array(out, "refused", refused_, [&](const Refusal& refusal) {
    out += "{\"line\":";
    append_json_string(out, refusal.line);
    out += ",\"reason\":\"";
    out += to_string(refusal.reason);
    out += "\"}";
  });
  out += ',';
  append_json_array(out, "points", points_,
                    [&](const std::string& point) { append_json_string(out, point); });
  out += '}';
  return out;
}

int run_explain(const Config& config, const std::string& line, bool as_json, std::istream& in,
                std::ostream& out) {
  Explainer explainer(config, effective_tags(config));
  const auto explain = [&](std::string_view escaped) {
    const std::string datagram = unescape(escaped);
    out << (as_json ? explainer.json(datagram, wall_now()) + "\n"
                    : explainer.text(datagram, wall_now()))
        << std::flush;
  };
  if (line != "-") explain(line);
  std::string input;
  while (line == "-" && out && std::getline(in, input)) explain(input);
  return out ? 0 : 1;
}

}  // namespace tally
