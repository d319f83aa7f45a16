#include "ingest_twin.hpp"

#include <bit>
#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <variant>

#include <fmt/format.h>

#include "guarded_buffer.hpp"
#include "tally/text.hpp"

namespace tally::testing {
namespace {

const WallTime opened{std::chrono::seconds(1'000'000)};

Arrival arrival_at(std::size_t number) {
  return {.listener = 0,
          .peer = {},
          .now = Instant(std::chrono::milliseconds(number)),
          .wall = opened + std::chrono::seconds(4)};
}

void refuse(Gathered& gathered, const Refusal& refusal, const Arrival& arrival) {
  ++gathered.counts[0].lines_refused[static_cast<std::size_t>(refusal.reason)];
  gathered.refused.add(refusal, 0, arrival.peer, arrival.now);
}

// What becomes of one good line, and why it is refused if it is.
std::optional<Reason> add_line(const Line& line, Batch& batch, const Arrival& arrival,
                               const IngestRules& rules, Gathered& gathered) {
  std::optional<Reason> refused;
  for (std::uint32_t i = line.first; i < line.first + line.count; ++i) {
    Sample& sample = batch.samples[i];
    if (is_notice(sample.kind)) {
      gathered.notices.push_back({std::string(line.text), arrival.now});
      ++gathered.counts[0].samples;
      return std::nullopt;
    }
    Timing timing = Timing::on_time;
    if (sample.time != 0)
      timing = timing_of(sample.time, arrival.wall, gathered.window_start, rules.lateness);
    if (timing != Timing::late) sample.time = 0;
    switch (gathered.table.add(sample, batch.tags_of(sample), arrival.now)) {
      case Added::created:
      case Added::updated:
        ++gathered.counts[0].samples;
        gathered.counts[0].samples_late += timing == Timing::late;
        gathered.counts[0].times_ignored += timing == Timing::ignored;
        break;
      case Added::series_limit:
        refused = Reason::series_limit;
        break;
      case Added::overflow:
        refused = Reason::overflow;
        break;
    }
  }
  return refused;
}

// Datagrams with nothing readable behind them, or with what must not be taken for a part of them.
class Memory {
 public:
  Memory(std::span<const std::string> datagrams, bool has_padding) {
    for (const std::string& bytes : datagrams) {
      if (!has_padding) {
        guarded_.push_back(std::make_unique<GuardedBuffer>(bytes));
        datagrams_.push_back({guarded_.back()->view()});
        continue;
      }
      auto padded = std::make_unique<std::string>(bytes);
      while (padded->size() < bytes.size() + padding_bytes) *padded += ":1|c\n";
      datagrams_.push_back({std::string_view(*padded).substr(0, bytes.size())});
      padded_.push_back(std::move(padded));
    }
  }

  std::span<const Datagram> datagrams() const { return datagrams_; }

 private:
  std::vector<std::unique_ptr<GuardedBuffer>> guarded_;
  std::vector<std::unique_ptr<std::string>> padded_;
  std::vector<Datagram> datagrams_;
};

// Line by line, because a line may be refused by the parser between two that are by the table.
void add_slowly(std::string_view datagram, const Arrival& arrival, const IngestRules& rules,
                Gathered& gathered) {
  IngestCounts& counts = gathered.counts[0];
  ++counts.datagrams;
  counts.bytes += datagram.size();
  counts.datagrams_empty += datagram.empty();
  while (!datagram.empty()) {
    const std::size_t end = std::min(datagram.find('\n'), datagram.size());
    const std::string_view text = datagram.substr(0, end);
    datagram.remove_prefix(std::min(end + 1, datagram.size()));
    Batch batch;
    parse_datagram(text, rules.parse, batch);
    counts.lines += batch.lines.size() + batch.refused.size();
    counts.fields_skipped += batch.fields_skipped;
    for (const Refusal& refusal : batch.refused) refuse(gathered, refusal, arrival);
    for (const Line& line : batch.lines) {
      if (const auto reason = add_line(line, batch, arrival, rules, gathered)) {
        refuse(gathered, {*reason, 0, line.text}, arrival);
      } else {
        ++counts.lines_accepted;
      }
    }
  }
}

std::string number(double value) {
  return fmt::format("{:016x}", std::bit_cast<std::uint64_t>(value));
}

// Everything that is known of a series, to the bit.
std::string in_words(const Aggregate& aggregate) {
  if (const auto* counter = std::get_if<Counter>(&aggregate)) return number(counter->sum);
  if (const auto* gauge = std::get_if<Gauge>(&aggregate))
    return fmt::format("{} {} {}", number(gauge->value), gauge->is_set,
                       gauge->set_at.time_since_epoch().count());
  if (const auto* members = std::get_if<const MemberSet*>(&aggregate))
    return number((*members)->count());
  const Distribution& values = *std::get<const Distribution*>(aggregate);
  std::vector<double> percentiles(2);
  values.percentiles({50, 99}, percentiles.data());
  return number(values.count()) + number(values.sum()) + number(values.stddev()) +
         number(percentiles[0]) + number(percentiles[1]);
}

std::map<std::string, std::string> series_of(const Table& table) {
  std::map<std::string, std::string> all;
  for (const auto& entry : table.entries())
    all.emplace(std::string(entry.key), in_words(entry.aggregate));
  return all;
}

std::string refused_of(const Gathered& gathered) {
  std::string all;
  for (const RefusedLine* line : gathered.refused.lines())
    all += fmt::format("{} at {}: {}\n", to_string(line->reason), line->caret, quote(line->text));
  return all;
}

std::string counts_of(const IngestCounts& counts) {
  std::string all = fmt::format("lines {} accepted {} samples {} late {} ignored {} skipped {}",
                                counts.lines, counts.lines_accepted, counts.samples,
                                counts.samples_late, counts.times_ignored, counts.fields_skipped);
  for (std::size_t i = 0; i < reason_count; ++i)
    all += fmt::format(" {} {}", to_string(static_cast<Reason>(i)), counts.lines_refused[i]);
  return all;
}

std::optional<std::string> difference(std::string_view what, const std::string& quick,
                                      const std::string& slow) {
  if (quick == slow) return std::nullopt;
  return fmt::format("{}: quick {}\nslow {}", what, quick, slow);
}

std::optional<std::string> difference(const Gathered& quick, const Gathered& slow) {
  if (auto differs = difference("counts", counts_of(quick.counts[0]), counts_of(slow.counts[0])))
    return differs;
  if (auto differs = difference("refused", refused_of(quick), refused_of(slow))) return differs;
  if (quick.notices.size() != slow.notices.size()) return "another number of notices";
  const auto quick_series = series_of(quick.table), slow_series = series_of(slow.table);
  if (quick_series.size() != quick.table.size()) return "one series twice";
  for (const auto& [key, state] : slow_series) {
    const auto found = quick_series.find(key);
    if (found == quick_series.end()) return "no series " + quote(key);
    if (auto differs = difference(quote(key), found->second, state)) return differs;
  }
  if (quick_series.size() != slow_series.size()) return "a series from nowhere";
  return std::nullopt;
}

// Together come one, then two, then three ..
void add_to_both(const std::vector<std::string>& datagrams, const IngestRules& rules,
                 Ingestor& ingestor, Gathered& quick, Gathered& slow) {
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < datagrams.size(); begin += count) {
    count = std::min(count + 1, datagrams.size() - begin);
    Arrival arrival = arrival_at(begin);
    arrival.has_padding = begin % 2 != 0;
    const std::span<const std::string> together(&datagrams[begin], count);
    const Memory memory(together, arrival.has_padding);
    ingestor.add_datagrams(memory.datagrams(), arrival, quick);
    for (const Datagram& datagram : memory.datagrams())
      add_slowly(datagram.bytes, arrival, rules, slow);
  }
}

std::vector<std::string> every_second(const std::vector<std::string>& datagrams) {
  std::vector<std::string> some;
  for (std::size_t i = 1; i < datagrams.size(); i += 2) some.push_back(datagrams[i]);
  return some;
}

}  // namespace

std::optional<std::string> ingest_disagreement(const std::vector<std::string>& datagrams,
                                               const IngestRules& rules,
                                               const TableRules& table_rules) {
  Ingestor ingestor(rules);
  Table table(table_rules);
  for (const auto& [window, heard] :
       {std::pair{"first", datagrams}, {"second", every_second(datagrams)}, {"third", datagrams}}) {
    Gathered quick(std::move(table), 1, opened);
    Gathered slow(Table(table_rules), 1, opened);
    add_to_both(heard, rules, ingestor, quick, slow);
    if (const auto differs = difference(quick, slow))
      return fmt::format("{} window: {}", window, *differs);
    table = std::move(quick.table);
    table.clear();
  }
  return std::nullopt;
}

}  // namespace tally::testing
