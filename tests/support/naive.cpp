#include "naive.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include <fmt/format.h>

#include "escapes.hpp"
#include "naive_text.hpp"

namespace tally::testing {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// Text before and behind the first `separator`; all of it and nothing where there is none.
std::pair<std::string, std::optional<std::string>> cut(const std::string& text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string::npos) return {text, std::nullopt};
  return {text.substr(0, at), text.substr(at + 1)};
}

/// One metric of a line: etsy's form has several, all of one name and with all tags.
struct Part {
  std::string values;
  std::optional<std::string> type;
  std::vector<std::string> fields;
};

/// values|type|field|field, where the type, a rate or an empty field may be followed by `:values`
/// of the next part.
std::vector<Part> split_parts(const std::string& text) {
  const auto pieces = split(text, '|');
  std::vector<Part> parts{Part{pieces[0], {}, {}}};
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    Part& part = parts.back();
    const auto [before, next] = cut(pieces[i], ':');
    if (!part.type) {
      part.type = before;
      if (next) parts.push_back(Part{*next, {}, {}});
    } else if (before.starts_with("@") && next) {
      part.fields.push_back(before);
      parts.push_back(Part{*next, {}, {}});
    } else if (before.empty() && next && !next->empty()) {
      parts.push_back(Part{*next, {}, {}});
    } else {
      part.fields.push_back(pieces[i]);
    }
  }
  return parts;
}

std::optional<Kind> kind_of(const std::string& type) {
  static const std::map<std::string, Kind> kinds = {
      {"c", Kind::counter},   {"g", Kind::gauge}, {"ms", Kind::timer},
      {"h", Kind::histogram}, {"s", Kind::set},   {"d", Kind::distribution},
  };
  const auto found = kinds.find(type);
  return found == kinds.end() ? std::nullopt : std::optional(found->second);
}

bool is_on(char mark, const Dialects& dialects) {
  if (mark == ',') return dialects.influx;
  if (mark == ';') return dialects.graphite;
  if (mark == '#') return dialects.librato;
  return mark == '[' && dialects.signalfx;
}

/// In the three steps that etsy's statsd takes, one after the other.
std::string as_etsy_cleans(const std::string& text) {
  const std::string white = " \t\n\v\f\r";
  const std::string kept = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.;=";
  std::string joined, left;
  for (const char c : text) {
    const bool in_run = white.find(c) != std::string::npos;
    if (!in_run) joined += c;
    if (in_run && (joined.empty() || joined.back() != ' ')) joined += ' ';
  }
  std::ranges::replace(joined, ' ', '_');
  std::ranges::replace(joined, '/', '-');
  std::ranges::copy_if(joined, std::back_inserter(left),
                       [&](char c) { return kept.find(c) != std::string::npos; });
  return left;
}

/// In a tag ';' would be the end of the tag.
std::string as_etsy_cleans_a_tag(std::string text) {
  std::ranges::replace(text, ';', '_');
  return as_etsy_cleans(text);
}

/// Reads one line and collects samples and faults as it goes.
class LineReader {
 public:
  LineReader(const std::string& text, const ParseRules& rules) : rules_(rules) {
    line_.text = text;
  }

  NaiveLine read() {
    if (line_.text.starts_with("_e{")) return read_event();
    if (line_.text.starts_with("_sc|")) return read_check();
    const auto [head, rest] = cut(line_.text, ':');
    if (!rest) {
      fault(Reason::missing_value);
      return line_;
    }
    read_head(head);
    const auto parts = split_parts(*rest);
    for (const Part& part : parts) read_tag_fields(part);
    clean_tags();
    check_tags();
    for (const Part& part : parts) read_part(part);
    if (parts.size() > 1 && !rules_.dialects.etsy) fault(Reason::dialect_off);
    for (NaiveSample& sample : line_.samples) sample.time = sample.is_delta ? 0 : time_;
    if (!line_.faults.empty()) line_.samples.clear();
    return line_;
  }

 private:
  void fault(Reason reason) { line_.faults.insert(reason); }

  /// _e{title bytes,text bytes}:title|text|fields
  NaiveLine read_event() {
    if (!rules_.dialects.events) return refused(Reason::dialect_off);
    const auto [head, rest] = cut(line_.text, '}');
    const auto [title_size, text_size] = cut(head.substr(3), ',');
    const auto title_bytes = read_length(title_size),
               text_bytes = read_length(text_size.value_or(""));
    if (!rest || !title_bytes || !text_bytes || *title_bytes == 0)
      return refused(Reason::bad_notice);
    const std::string fields = *rest + "|";
    if (fields[0] != ':' || *title_bytes + *text_bytes + 3 > fields.size())
      return refused(Reason::bad_notice);
    if (fields[1 + *title_bytes] != '|' || fields[2 + *title_bytes + *text_bytes] != '|')
      return refused(Reason::bad_notice);
    name_ = fields.substr(1, *title_bytes);
    return read_notice(Kind::event, split(fields.substr(2 + *title_bytes + *text_bytes), '|'));
  }

  /// _sc|name|status|fields
  NaiveLine read_check() {
    if (!rules_.dialects.service_checks) return refused(Reason::dialect_off);
    const auto pieces = split(line_.text, '|');
    const bool is_good =
        pieces.size() >= 3 && !pieces[1].empty() &&
        (pieces[2] == "0" || pieces[2] == "1" || pieces[2] == "2" || pieces[2] == "3");
    if (!is_good) return refused(Reason::bad_notice);
    name_ = pieces[1];
    if (name_.size() > rules_.limits.name_bytes) fault(Reason::name_too_long);
    return read_notice(Kind::service_check, {pieces.begin() + 3, pieces.end()});
  }

  static std::optional<std::size_t> read_length(const std::string& digits) {
    const bool is_number =
        !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number || digits.size() > 9) return std::nullopt;
    return std::stoul(digits);
  }

  NaiveLine refused(Reason reason) {
    fault(reason);
    return line_;
  }

  /// Of several lists of tags the last stays.
  NaiveLine read_notice(Kind kind, const std::vector<std::string>& fields) {
    Part part;
    for (const std::string& field : fields) {
      if (field.starts_with("#")) part.fields = {field};
    }
    read_tag_fields(part);
    check_tags();
    if (!naive_is_utf8(line_.text)) fault(Reason::invalid_utf8);
    if (line_.faults.empty()) line_.samples.push_back({kind, false, name_, tags_, 0, 1, ""});
    return line_;
  }

  /// name, or name,k=v,k=v or name;k=v;k=v or name#k=v,k=v or na[k=v,k=v]me. What is not such a
  /// list throughout belongs to the name.
  void read_head(const std::string& head) {
    std::size_t at = head.find_first_of(",;#[");
    while (at != std::string::npos && !is_on(head[at], rules_.dialects))
      at = head.find_first_of(",;#[", at + 1);
    name_ = head;
    if (at != std::string::npos && head[at] == '[') {
      const auto [list, after] = cut(head.substr(at + 1), ']');
      if (after && read_name_tags(list, ',')) name_ = head.substr(0, at) + *after;
    } else if (at != std::string::npos) {
      const char separator = head[at] == ';' ? ';' : ',';
      if (read_name_tags(head.substr(at + 1), separator)) name_ = head.substr(0, at);
    }
    if (rules_.sanitize == Sanitize::etsy) name_ = as_etsy_cleans(name_);
    if (name_.empty()) fault(Reason::empty_name);
    if (name_.size() > rules_.limits.name_bytes) fault(Reason::name_too_long);
    if (name_.starts_with("tallyd.")) fault(Reason::reserved_name);
    if (!naive_is_utf8(name_)) fault(Reason::invalid_utf8);
  }

  bool read_name_tags(const std::string& list, char separator) {
    std::vector<NaiveTag> found;
    for (const std::string& tag : split(list, separator)) {
      const auto [key, value] = cut(tag, '=');
      if (key.empty() || !value) return false;
      found.push_back({key, value});
    }
    tags_ = found;
    return true;
  }

  void read_tag_fields(const Part& part) {
    for (const std::string& field : part.fields) {
      if (!field.starts_with("#")) continue;
      for (std::string tag : split(field.substr(1), ',')) {
        if (tag.starts_with("#")) tag.erase(0, 1);  // `#a:1,#b:2` is seen in the wild
        const auto [key, value] = cut(tag, ':');
        if (!tag.empty()) tags_.push_back({key, value});
      }
    }
  }

  void clean_tags() {
    if (rules_.sanitize != Sanitize::etsy) return;
    for (NaiveTag& tag : tags_) {
      tag.key = as_etsy_cleans_a_tag(tag.key);
      if (tag.value) tag.value = as_etsy_cleans_a_tag(*tag.value);
    }
  }

  void check_tags() {
    std::erase_if(tags_, [](const NaiveTag& tag) { return tag.key.empty(); });
    std::size_t series_bytes = name_.size();
    for (const NaiveTag& tag : tags_) {
      const std::string value = tag.value.value_or("");
      series_bytes += 1 + tag.key.size() + 1 + value.size();
      if (tag.key.size() > rules_.limits.tag_bytes || value.size() > rules_.limits.tag_bytes) {
        fault(Reason::tag_too_long);
      }
      if (!naive_is_utf8(tag.key) || !naive_is_utf8(value)) fault(Reason::invalid_utf8);
    }
    if (tags_.size() > rules_.limits.tags) fault(Reason::too_many_tags);
    if (series_bytes > series_bytes_max) fault(Reason::series_too_long);
  }

  void read_part(const Part& part) {
    const double rate = read_rate(part.fields);
    read_timestamps(part.fields);
    if (!rules_.dialects.dogstatsd) refuse_dogstatsd(part);
    if (part.values.empty()) fault(Reason::missing_value);
    if (!part.type || part.type->empty()) return fault(Reason::missing_type);
    const auto kind = kind_of(*part.type);
    if (!kind) return fault(Reason::unknown_type);
    if (*kind == Kind::set) return read_member(part.values);
    read_values(part.values, *kind, *kind == Kind::gauge ? 1 : rate);
  }

  double read_rate(const std::vector<std::string>& fields) {
    double rate = 1;
    int given = 0;
    for (const std::string& field : fields) {
      const bool lost_its_mark = field.find_first_of("0123456789.") == 0;
      if (lost_its_mark) fault(Reason::bad_rate);
      if (!field.starts_with("@")) continue;
      ++given;
      if (!naive_number(field.substr(1), rate)) rate = 0;
      if (!(rate >= rate_min && rate <= 1)) fault(Reason::bad_rate);
    }
    if (given > 1) fault(Reason::bad_rate);
    return rate;
  }

  /// What is left without it is one value and a rate.
  void refuse_dogstatsd(const Part& part) {
    for (const std::string& field : part.fields) {
      const bool is_plain = field.empty() || field.find_first_of("@0123456789.") == 0;
      if (!is_plain) fault(Reason::dialect_off);
    }
    const bool is_packed = part.values.find(':') != std::string::npos;
    if (is_packed && part.type != "s") fault(Reason::dialect_off);
  }

  void read_timestamps(const std::vector<std::string>& fields) {
    for (const std::string& field : fields) {
      if (!field.starts_with("T")) continue;
      const bool digits = field.find_first_not_of("0123456789", 1) == std::string::npos;
      const bool is_time = digits && field.size() >= 2 && field.size() <= 19;
      if (is_time) time_ = std::stoll(field.substr(1));
      if (!is_time) fault(Reason::bad_timestamp);
    }
  }

  void read_member(const std::string& member) {
    line_.samples.push_back({Kind::set, false, name_, tags_, 0, 1, member});
  }

  void read_values(const std::string& values, Kind kind, double rate) {
    bool any = false;
    for (const std::string& text : split(values, ':')) {
      if (text.empty()) continue;
      any = true;
      double value = 0;
      if (!naive_number(text, value)) fault(Reason::bad_value);
      const bool is_delta = kind == Kind::gauge && (text[0] == '+' || text[0] == '-') &&
                            rules_.signed_gauges == SignedGauges::delta;
      line_.samples.push_back({kind, is_delta, name_, tags_, value, rate, ""});
    }
    if (!any) fault(Reason::missing_value);
  }

  const ParseRules& rules_;
  NaiveLine line_;
  std::string name_;
  std::vector<NaiveTag> tags_;
  std::int64_t time_ = 0;
};

std::string clean(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '\\') c = '_';
  }
  return text;
}

bool is_field(Kind kind, const std::string& name) {
  static const std::set<std::string> of_timers = {"count", "mean", "min", "max", "sum", "stddev"};
  if (kind == Kind::counter) return name == "count" || name == "rate";
  if (kind == Kind::gauge) return name == "value";
  if (kind == Kind::set) return name == "count";
  const bool is_percentile = name.size() > 1 && name[0] == 'p' &&
                             name.find_first_not_of("0123456789", 1) == std::string::npos;
  return is_percentile || of_timers.contains(name);
}

double weight_of(const std::vector<Weighted>& values) {
  long double weight = 0;
  for (const Weighted& one : values) weight += one.weight;
  return static_cast<double>(weight);
}

}  // namespace

std::vector<NaiveLine> naive_parse(std::string_view datagram, const ParseRules& rules) {
  std::vector<NaiveLine> lines;
  for (std::string text : split(std::string(datagram), '\n')) {
    if (text.ends_with('\r')) text.pop_back();
    if (!text.empty()) lines.push_back(LineReader(text, rules).read());
  }
  return lines;
}

NaiveSample as_naive(const Sample& sample, std::span<const Tag> tags) {
  NaiveSample naive{sample.kind,  sample.is_delta, std::string(sample.name),   {},
                    sample.value, sample.rate,     std::string(sample.member), sample.time};
  for (const Tag& tag : tags) {
    if (tag.key.empty()) continue;
    naive.tags.push_back({std::string(tag.key), std::string(tag.value)});
    if (tag.bare) naive.tags.back().value.reset();
  }
  return naive;
}

NaiveSample with_tags_as_a_set(NaiveSample sample) {
  std::map<std::string, std::optional<std::string>> last;
  for (const NaiveTag& tag : sample.tags) last[tag.key] = tag.value;
  sample.tags.clear();
  for (const auto& [key, value] : last) sample.tags.push_back({key, value});
  return sample;
}

std::string describe(const NaiveSample& sample) {
  std::string text = fmt::format(
      "{} {}={}", to_string(sample.kind), escape(sample.name),
      sample.kind == Kind::set ? escape(sample.member) : fmt::format("{}", sample.value));
  if (sample.is_delta) text += " (delta)";
  if (sample.rate != 1) text += fmt::format("@{}", sample.rate);
  if (sample.time != 0) text += fmt::format(" at {}", sample.time);
  for (const NaiveTag& tag : sample.tags) {
    text += " #" + escape(tag.key);
    if (tag.value) text += "=" + escape(*tag.value);
  }
  return text;
}

NaiveSeries naive_series(const NaiveSample& sample, const std::vector<StaticTag>& static_tags) {
  NaiveSeries series{sample.kind, clean(sample.name), {}, sample.time};
  if (series.name.starts_with('#')) series.name[0] = '_';
  for (const NaiveTag& tag : sample.tags) {
    std::string key = clean(tag.key);
    if (key.empty()) continue;
    static const std::set<std::string> taken = {"time",       "_name",  "_tagKey",     "_tagValue",
                                                "_seriesKey", "_field", "_measurement"};
    if (taken.contains(key) || is_field(sample.kind, key)) key += '_';
    series.tags[key] = clean(tag.value.value_or("true"));
  }
  std::erase_if(series.tags, [](const auto& tag) { return tag.second.empty(); });
  for (const StaticTag& tag : static_tags) {
    const auto own = series.tags.find(tag.key);
    if (own != series.tags.end() && own->second == tag.value) series.tags.erase(own);
  }
  return series;
}

NaiveSeries as_naive_series(std::string_view key) {
  const Series series = split_series_key(key);
  NaiveSeries naive{series.kind, std::string(series.name), {}, series.time};
  for (const TagView& tag : series.tags) naive.tags.emplace(tag.key, tag.value);
  return naive;
}

std::string describe(const NaiveSeries& series) {
  std::string text = fmt::format("{} {}", to_string(series.kind), escape(series.name));
  for (const auto& [key, value] : series.tags) {
    text += fmt::format(" #{}={}", escape(key), escape(value));
  }
  return text;
}

double naive_percentile(std::vector<Weighted> values, double percent) {
  std::ranges::sort(values, {}, &Weighted::value);
  // Half a billionth of the total forgives the rounding of percents and weights, no more.
  const double total = weight_of(values);
  const double needed = percent / 100 * total - 5e-10 * total;
  long double reached = 0;
  for (const Weighted& one : values) {
    reached += one.weight;
    if (static_cast<double>(reached) >= needed) return one.value;
  }
  return values.back().value;
}

NaiveSummary naive_summary(const std::vector<Weighted>& values) {
  long double weight = 0, sum = 0, squares = 0;
  NaiveSummary summary{0, 0, 0, values.at(0).value, values.at(0).value, 0};
  for (const Weighted& one : values) {
    weight += one.weight;
    sum += static_cast<long double>(one.value) * one.weight;
    summary.min = std::min(summary.min, one.value);
    summary.max = std::max(summary.max, one.value);
  }
  const long double mean = sum / weight;
  for (const Weighted& one : values)
    squares += one.weight * (one.value - mean) * (one.value - mean);
  summary.count = static_cast<double>(weight);
  summary.sum = static_cast<double>(sum);
  summary.mean = static_cast<double>(mean);
  summary.stddev = static_cast<double>(std::sqrt(squares / weight));
  return summary;
}

void NaiveDaemon::hear(const NaiveSample& sample) {
  const NaiveSeries series = naive_series(sample, static_tags_);
  if (sample.kind == Kind::set) {
    sets_[series].insert(sample.member);
  } else if (sample.kind == Kind::gauge) {
    HeldGauge& gauge = gauges_[series];
    gauge.value = sample.is_delta ? gauge.value + sample.value : sample.value;
    gauge.heard = true;
  } else {
    auto& heard = sample.kind == Kind::counter ? counters_ : timers_;
    heard[series].push_back({sample.value, 1 / sample.rate});
  }
}

NaiveWindow NaiveDaemon::close(std::chrono::milliseconds interval) {
  NaiveWindow window;
  const double seconds = std::chrono::duration<double>(interval).count();
  for (const auto& [series, values] : counters_) {
    long double sum = 0;
    for (const Weighted& one : values) sum += static_cast<long double>(one.value) * one.weight;
    window[series].count = static_cast<double>(sum);
    window[series].rate = static_cast<double>(sum) / seconds;
  }
  for (const auto& [series, values] : timers_) {
    window[series].values = values;
    window[series].count = weight_of(values);
  }
  for (const auto& [series, members] : sets_) {
    window[series].count = static_cast<double>(members.size());
  }
  close_gauges(interval, window);
  counters_.clear();
  timers_.clear();
  sets_.clear();
  return window;
}

void NaiveDaemon::close_gauges(std::chrono::milliseconds interval, NaiveWindow& window) {
  for (auto& [series, gauge] : gauges_) {
    gauge.idle = gauge.heard ? std::chrono::milliseconds(0) : gauge.idle + interval;
    gauge.heard = false;
  }
  std::erase_if(gauges_, [this](const auto& held) {
    const auto idle = held.second.idle;
    return gauge_ttl_.count() > 0 && idle > gauge_ttl_;
  });
  for (const auto& [series, gauge] : gauges_) window[series].value = gauge.value;
}

}  // namespace tally::testing
