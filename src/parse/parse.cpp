// One line is cut at its '|': the first piece holds name and values, the second the type, the
// others are fields. A ':' behind a type or a rate opens the next metric of the same name (etsy).
// Samples are appended as they are found and taken back if the line turns out to be bad: a line is
// a unit.

#include "tally/parse.hpp"

#include <charconv>
#include <optional>
#include <string>

#include "clean.hpp"
#include "notice.hpp"
#include "tally/text.hpp"
#include "words.hpp"

namespace tally {
namespace {

// Why a line is refused, and the byte that decided it.
struct Fault {
  Reason reason;
  const char* at;
};
using Outcome = std::optional<Fault>;  // none: fine

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Cuts text at a separator, one piece a call; "a||b" has three pieces, "" has one.
class Pieces {
 public:
  Pieces(std::string_view text, char separator) : rest_(text), separator_(separator) {}

  bool next(std::string_view& piece) {
    if (done_) return false;
    const std::size_t end = rest_.find(separator_);
    piece = rest_.substr(0, end);
    done_ = end == std::string_view::npos;
    if (!done_) rest_.remove_prefix(end + 1);
    return true;
  }

 private:
  std::string_view rest_;
  char separator_;
  bool done_ = false;
};

const char* end_of(std::string_view text) {
  return text.data() + text.size();
}

Outcome check_utf8(std::string_view text) {
  if (is_valid_utf8(text)) return std::nullopt;
  return Fault{Reason::invalid_utf8, text.data() + valid_utf8_bytes(text)};
}

// Whether each piece of `list` is key=value with a key: only then is it a list of tags and not a
// name that happens to hold the separator.
bool is_tag_list(std::string_view list, char separator) {
  Pieces pieces(list, separator);
  for (std::string_view piece; pieces.next(piece);) {
    const std::size_t equals = piece.find('=');
    if (equals == 0 || equals == std::string_view::npos) return false;
  }
  return true;
}

// The bytes that may open tags in a name.
std::string tag_marks(const Dialects& on) {
  std::string marks;
  if (on.influx) marks += ',';
  if (on.graphite) marks += ';';
  if (on.librato) marks += '#';
  if (on.signalfx) marks += '[';
  return marks;
}

class LineParser {
 public:
  // `marks` are the rules' tag_marks, made once for many lines.
  LineParser(std::string_view line, const ParseRules& rules, std::string_view marks, Batch& batch)
      : line_(line),
        rules_(rules),
        marks_(marks),
        batch_(batch),
        first_sample_(batch.samples.size()),
        first_tag_(batch.tags.size()),
        skipped_before_(batch.fields_skipped),
        cleans_(rules.sanitize == Sanitize::etsy) {}

  void run() {
    if (const Outcome fault = parse()) {
      batch_.samples.resize(first_sample_);
      batch_.tags.resize(first_tag_);
      batch_.fields_skipped = skipped_before_;
      batch_.refused.push_back(
          {fault->reason, static_cast<std::uint32_t>(fault->at - line_.data()), line_});
      return;
    }
    const auto first = static_cast<std::uint32_t>(first_sample_);
    batch_.lines.push_back(
        {first, static_cast<std::uint32_t>(batch_.samples.size()) - first, line_});
  }

 private:
  Outcome parse() {
    if (is_notice_line(line_)) return parse_whole_notice();
    const std::size_t colon = line_.find(':');
    if (colon == std::string_view::npos) return Fault{Reason::missing_value, end_of(line_)};
    if (Outcome fault = parse_name(line_.substr(0, colon))) return fault;
    if (Outcome fault = parse_metrics(line_.substr(colon + 1))) return fault;
    return finish();
  }

  Outcome parse_whole_notice() {
    const bool is_event = line_.starts_with(event_mark);
    if (!(is_event ? rules_.dialects.events : rules_.dialects.service_checks))
      return Fault{Reason::dialect_off, line_.data()};
    cleans_ = false;  // etsy knows no notices, and a title is prose
    ParsedNotice parsed;
    if (const auto wrong = parse_notice(line_, parsed)) return Fault{Reason::bad_notice, *wrong};
    if (Outcome fault = check_utf8(line_)) return fault;
    if (Outcome fault = parse_tags(parsed.tags, ',', ':')) return fault;
    name_ = parsed.name;
    if (!is_event && name_.size() > rules_.limits.name_bytes) {
      return Fault{Reason::name_too_long, name_.data()};
    }
    const auto notice = static_cast<std::uint32_t>(batch_.notices.size());
    batch_.samples.push_back({.kind = parsed.kind, .notice = notice});
    if (Outcome fault = finish()) return fault;
    batch_.notices.push_back(parsed.notice);
    return std::nullopt;
  }

  // The name, and tags within it: name,k=v  name;k=v  name#k=v  na[k=v]me. They are found before
  // anything is cleaned: cleaning drops most of the marks.
  Outcome parse_name(std::string_view text) {
    name_ = text;
    const std::size_t at = text.find_first_of(marks_);
    if (at != std::string_view::npos) {
      if (Outcome fault =
              text[at] == '[' ? parse_bracket_tags(text, at) : parse_suffix_tags(text, at)) {
        return fault;
      }
    }
    if (cleans_) name_ = cleaned(name_, "");
    if (name_.empty()) return Fault{Reason::empty_name, text.data()};
    if (name_.size() > rules_.limits.name_bytes) return Fault{Reason::name_too_long, text.data()};
    if (is_own_name(name_)) return Fault{Reason::reserved_name, text.data()};
    // It may be put together of what stands before and behind tags.
    return is_valid_utf8(name_) ? std::nullopt : check_utf8(text);
  }

  Outcome parse_suffix_tags(std::string_view text, std::size_t at) {
    const char separator = text[at] == '#' ? ',' : text[at];
    const std::string_view list = text.substr(at + 1);
    if (!is_tag_list(list, separator)) return std::nullopt;
    name_ = text.substr(0, at);
    return parse_tags(list, separator, '=');
  }

  Outcome parse_bracket_tags(std::string_view text, std::size_t open) {
    const std::size_t close = text.find(']', open);
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view list = text.substr(open + 1, close - open - 1);
    if (!is_tag_list(list, ',')) return std::nullopt;
    const std::string_view before = text.substr(0, open);
    const std::string_view after = text.substr(close + 1);
    if (before.empty() || after.empty()) {
      name_ = before.empty() ? after : before;
    } else {
      name_ = batch_.owned_texts.emplace_back(std::string(before) + std::string(after));
    }
    return parse_tags(list, ',', '=');
  }

  // `text`, or what is left of it, in memory of the batch. Each byte of `replaced` becomes '_'.
  std::string_view cleaned(std::string_view text, std::string_view replaced) {
    if (is_clean(text, replaced)) return text;
    return batch_.owned_texts.emplace_back(clean(text, replaced));
  }

  Outcome parse_tags(std::string_view list, char separator, char equals) {
    Pieces pieces(list, separator);
    for (std::string_view piece; pieces.next(piece);) {
      // `#a:1,#b:2`: some clients repeat the mark.
      if (equals == ':' && piece.starts_with('#')) piece.remove_prefix(1);
      if (piece.empty()) continue;
      if (Outcome fault = add_tag(piece, equals)) return fault;
    }
    return std::nullopt;
  }

  Outcome add_tag(std::string_view text, char equals) {
    const std::size_t at = text.find(equals);
    Tag tag{.key = text.substr(0, at), .value = {}, .bare = at == std::string_view::npos};
    if (!tag.bare) tag.value = text.substr(at + 1);
    if (cleans_) tag = {cleaned(tag.key, ";"), cleaned(tag.value, ";"), tag.bare};
    if (tag.key.empty())
      return std::nullopt;  // `:v` names nothing: the tag is dropped, the sample stays
    const LineLimits& limits = rules_.limits;
    if (tag.key.size() > limits.tag_bytes || tag.value.size() > limits.tag_bytes)
      return Fault{Reason::tag_too_long, text.data()};
    if (batch_.tags.size() - first_tag_ >= limits.tags)
      return Fault{Reason::too_many_tags, text.data()};
    if (Outcome fault = cleans_ ? std::nullopt : check_utf8(text)) return fault;
    tag_bytes_ += tag.key.size() + tag.value.size() + 2;
    batch_.tags.push_back(tag);
    return std::nullopt;
  }

  // All behind the first ':': values|type, fields, and more metrics of the same name.
  Outcome parse_metrics(std::string_view text) {
    Pieces pieces(text, '|');
    std::string_view piece;
    pieces.next(values_);
    expects_type_ = true;
    while (pieces.next(piece)) {
      if (Outcome fault = expects_type_ ? parse_type(piece) : parse_field(piece)) return fault;
    }
    if (expects_type_) return Fault{Reason::missing_type, end_of(text)};
    return std::nullopt;
  }

  // `text` begins with the ':' behind a type or a rate.
  Outcome expect_next_metric(std::string_view text) {
    if (!rules_.dialects.etsy) return Fault{Reason::dialect_off, text.data()};
    values_ = text.substr(1);
    expects_type_ = true;
    return std::nullopt;
  }

  Outcome parse_type(std::string_view piece) {
    const std::size_t colon = piece.find(':');
    const std::string_view type = piece.substr(0, colon);
    if (type.empty()) return Fault{Reason::missing_type, piece.data()};
    const std::optional<Kind> kind = kind_of(type);
    if (!kind) return Fault{Reason::unknown_type, type.data()};
    metric_ = batch_.samples.size();
    has_rate_ = false;
    expects_type_ = false;
    if (Outcome fault = *kind == Kind::set ? add_member() : add_values(*kind)) return fault;
    if (colon == std::string_view::npos) return std::nullopt;
    return expect_next_metric(piece.substr(colon));
  }

  Outcome add_member() {
    if (values_.empty()) return Fault{Reason::missing_value, values_.data()};
    batch_.samples.push_back({.kind = Kind::set, .member = values_});
    return std::nullopt;
  }

  Outcome add_values(Kind kind) {
    const bool signs_move = kind == Kind::gauge && rules_.signed_gauges == SignedGauges::delta;
    Pieces pieces(values_, ':');
    for (std::string_view text; pieces.next(text);) {
      if (!rules_.dialects.dogstatsd && text.size() < values_.size())
        return Fault{Reason::dialect_off, end_of(text)};  // the ':' between packed values
      if (text.empty()) continue;  // `a:1::2|c`: as the Datadog agent reads it
      Sample sample{.kind = kind};
      if (!parse_number(text, sample.value)) return Fault{Reason::bad_value, text.data()};
      sample.is_delta = signs_move && (text.front() == '+' || text.front() == '-');
      batch_.samples.push_back(sample);
    }
    if (batch_.samples.size() == metric_) return Fault{Reason::missing_value, values_.data()};
    return std::nullopt;
  }

  Outcome parse_field(std::string_view field) {
    if (field.empty()) return std::nullopt;  // a trailing '|'
    if (field.front() == '@') return parse_rate(field.substr(1));
    if (field.front() == ':' && field.size() > 1) return expect_next_metric(field);
    // A rate without its '@': taking it for an unknown field would count too little in silence.
    if (is_digit(field.front()) || field.front() == '.')
      return Fault{Reason::bad_rate, field.data()};
    if (!rules_.dialects.dogstatsd) return Fault{Reason::dialect_off, field.data()};
    return parse_dogstatsd_field(field);
  }

  Outcome parse_dogstatsd_field(std::string_view field) {
    if (field.front() == '#') return parse_tags(field.substr(1), ',', ':');
    if (field.front() == 'T') return parse_time(field.substr(1));
    const bool is_known =
        is_silent_field(field) || field == ":";  // what datadog's clients leave of an empty list
    if (!is_known) ++batch_.fields_skipped;
    return std::nullopt;
  }

  Outcome parse_rate(std::string_view text) {
    const std::size_t colon = text.find(':');
    double rate = 0;
    const bool is_number = parse_number(text.substr(0, colon), rate);
    // !(a && b), so that a NaN would fail too.
    if (!is_number || !(rate >= rate_min && rate <= 1) || has_rate_)
      return Fault{Reason::bad_rate, text.data()};
    has_rate_ = true;
    // A gauge cannot be scaled up, nor a count of distinct members.
    for (std::size_t i = metric_; i < batch_.samples.size(); ++i) {
      Sample& sample = batch_.samples[i];
      if (sample.kind != Kind::gauge && sample.kind != Kind::set) sample.rate = rate;
    }
    if (colon == std::string_view::npos) return std::nullopt;
    return expect_next_metric(text.substr(colon));
  }

  Outcome parse_time(std::string_view seconds) {
    constexpr std::size_t digits_max = 18;  // what 64 bits hold whatever the digits are
    if (seconds.empty()) return Fault{Reason::bad_timestamp, seconds.data()};
    for (const char& c : seconds) {
      if (!is_digit(c)) return Fault{Reason::bad_timestamp, &c};
    }
    if (seconds.size() > digits_max)
      return Fault{Reason::bad_timestamp, seconds.data() + digits_max};
    std::from_chars(seconds.data(), end_of(seconds), time_);
    return std::nullopt;
  }

  Outcome finish() {
    if (name_.size() + tag_bytes_ > series_bytes_max)
      return Fault{Reason::series_too_long, line_.data()};
    const auto tag_count = static_cast<std::uint32_t>(batch_.tags.size() - first_tag_);
    for (std::size_t i = first_sample_; i < batch_.samples.size(); ++i) {
      Sample& sample = batch_.samples[i];
      sample.name = name_;
      // A gauge that is moved has no base in the past: it moves when the line arrives.
      sample.time = sample.is_delta ? 0 : time_;
      sample.first_tag = static_cast<std::uint32_t>(first_tag_);
      sample.tag_count = tag_count;
    }
    return std::nullopt;
  }

  std::string_view line_;
  const ParseRules& rules_;
  std::string_view marks_;
  Batch& batch_;
  const std::size_t first_sample_;
  const std::size_t first_tag_;
  const std::uint32_t skipped_before_;
  bool cleans_;
  std::string_view name_;
  std::string_view values_;  // of the metric whose type comes next
  bool expects_type_ = false;
  std::size_t metric_ = 0;  // first sample of the metric that fields belong to
  bool has_rate_ = false;
  std::size_t tag_bytes_ = 0;  // in the series key, separators included
  std::int64_t time_ = 0;      // of the last |T
};

}  // namespace

void parse_line(std::string_view line, const ParseRules& rules, Batch& batch) {
  const std::string marks = tag_marks(rules.dialects);
  LineParser(line, rules, marks, batch).run();
}

void parse_datagram(std::string_view datagram, const ParseRules& rules, Batch& batch) {
  const std::string marks = tag_marks(rules.dialects);
  Pieces lines(datagram, '\n');
  for (std::string_view line; lines.next(line);) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) LineParser(line, rules, marks, batch).run();
  }
}

}  // namespace tally
