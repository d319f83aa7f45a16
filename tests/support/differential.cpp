#include "differential.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "escapes.hpp"
#include "guarded_buffer.hpp"
#include "naive.hpp"
#include "tally/parse.hpp"

namespace tally::testing {
namespace {

bool lies_in(std::string_view part, std::string_view whole) {
  if (part.empty()) return true;
  const std::less_equal<const char*> at_most;
  return at_most(whole.data(), part.data()) &&
         at_most(part.data() + part.size(), whole.data() + whole.size());
}

/// Whether a sample may hold this view: of the datagram, or of the batch's own memory.
bool is_of(std::string_view part, std::string_view datagram, const Batch& batch) {
  return lies_in(part, datagram) ||
         std::ranges::any_of(batch.owned_texts,
                             [part](const std::string& text) { return lies_in(part, text); });
}

/// What no datagram may break: views stay in it, indices in their vectors, numbers in their range.
std::optional<std::string> broken_promise(std::string_view datagram, const Batch& batch) {
  std::size_t expected_first = 0;
  for (const Line& line : batch.lines) {
    if (!lies_in(line.text, datagram)) return "a line outside the datagram";
    if (line.first != expected_first || line.count == 0) return "samples of no line, or of two";
    expected_first += line.count;
  }
  if (expected_first != batch.samples.size()) return "samples without a line";
  for (const Refusal& refusal : batch.refused) {
    if (!lies_in(refusal.line, datagram)) return "a refused line outside the datagram";
    if (refusal.caret > refusal.line.size()) return "a caret outside its line";
  }
  for (const Sample& sample : batch.samples) {
    if (sample.first_tag + std::size_t{sample.tag_count} > batch.tags.size())
      return "tags of nobody";
    if (!is_of(sample.name, datagram, batch)) return "a name from nowhere";
    if (sample.name.empty()) return "an empty name";
    if (!lies_in(sample.member, datagram)) return "a member from nowhere";
    if (!(sample.rate >= rate_min && sample.rate <= 1)) return "a rate out of range";
    if (sample.time < 0) return "a time before 1970";
    for (const Tag& tag : batch.tags_of(sample)) {
      if (!is_of(tag.key, datagram, batch) || !is_of(tag.value, datagram, batch))
        return "a tag from nowhere";
    }
  }
  return std::nullopt;
}

/// Goes through the twin's lines and takes for each what the parser made of it.
class Comparison {
 public:
  explicit Comparison(const Batch& batch) : batch_(batch) {}

  std::optional<std::string> of(const NaiveLine& naive) {
    return naive.faults.empty() ? of_taken(naive) : of_refused(naive);
  }

  bool all_seen() const {
    return line_ == batch_.lines.size() && refusal_ == batch_.refused.size();
  }

 private:
  std::optional<std::string> of_taken(const NaiveLine& naive) {
    if (line_ == batch_.lines.size()) return "refused, the twin takes it";
    const Line& line = batch_.lines[line_++];
    if (line.text != naive.text) return "refused, the twin takes it";
    if (line.count != naive.samples.size()) {
      return fmt::format("{} samples, the twin has {}", line.count, naive.samples.size());
    }
    for (std::size_t i = 0; i < naive.samples.size(); ++i) {
      const Sample& sample = batch_.samples[line.first + i];
      const auto real = with_tags_as_a_set(as_naive(sample, batch_.tags_of(sample)));
      const auto twin = with_tags_as_a_set(naive.samples[i]);
      if (real != twin) return describe(real) + ", the twin reads " + describe(twin);
    }
    return std::nullopt;
  }

  std::optional<std::string> of_refused(const NaiveLine& naive) {
    const std::string reason(to_string(*naive.faults.begin()));
    if (refusal_ == batch_.refused.size()) return "taken, the twin refuses it: " + reason;
    const Refusal& refusal = batch_.refused[refusal_++];
    if (refusal.line != naive.text) return "taken, the twin refuses it: " + reason;
    if (naive.faults.contains(refusal.reason)) return std::nullopt;
    return fmt::format("refused for {}, the twin has {}", to_string(refusal.reason), reason);
  }

  const Batch& batch_;
  std::size_t line_ = 0;
  std::size_t refusal_ = 0;
};

}  // namespace

ParseRules rules_of(std::uint32_t number) {
  std::uint32_t bit = 1;
  const auto is_set = [&] { return (number & std::exchange(bit, bit << 1)) != 0; };
  ParseRules rules;
  Dialects& on = rules.dialects;
  for (bool* dialect : {&on.etsy, &on.dogstatsd, &on.influx, &on.graphite, &on.signalfx,
                        &on.librato, &on.events, &on.service_checks})
    *dialect = !is_set();
  if (is_set()) rules.sanitize = Sanitize::etsy;
  if (is_set()) rules.signed_gauges = SignedGauges::absolute;
  return rules;
}

std::optional<std::string> parse_disagreement(std::string_view datagram, const ParseRules& rules) {
  const GuardedBuffer buffer(datagram);
  Batch batch;
  parse_datagram(buffer.view(), rules, batch);
  if (auto broken = broken_promise(buffer.view(), batch)) {
    return fmt::format("\"{}\": {}", escape(datagram), *broken);
  }
  Comparison comparison(batch);
  for (const NaiveLine& naive : naive_parse(datagram, rules)) {
    if (auto difference = comparison.of(naive)) {
      return fmt::format("\"{}\": {}", escape(naive.text), *difference);
    }
  }
  if (comparison.all_seen()) return std::nullopt;
  return fmt::format("\"{}\": lines that the twin does not see", escape(datagram));
}

}  // namespace tally::testing
