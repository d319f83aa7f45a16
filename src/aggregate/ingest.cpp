#include "tally/ingest.hpp"

namespace tally {
namespace {

constexpr std::size_t example_bytes_max = 200;

void count_refused(Reason reason, std::string_view line, Gathered& gathered) {
  ++gathered.counts.lines_refused[static_cast<std::size_t>(reason)];
  if (!gathered.refused_example) {
    gathered.refused_example =
        RefusedExample{reason, std::string(line.substr(0, example_bytes_max))};
  }
}

std::optional<Reason> add_notice(const Line& line, Instant now, Gathered& gathered) {
  const bool is_full = gathered.notices.size() >= notices_max ||
                       gathered.notice_bytes + line.text.size() > notice_bytes_max;
  if (is_full) return Reason::notice_limit;
  gathered.notices.push_back({std::string(line.text), now});
  gathered.notice_bytes += line.text.size();
  ++gathered.counts.samples;
  return std::nullopt;
}

// Adds the samples of one line. A line of which any sample is refused counts as refused.
std::optional<Reason> add_line(const Line& line, const Batch& batch, Instant now,
                               Gathered& gathered) {
  if (is_notice(batch.samples[line.first].kind)) return add_notice(line, now, gathered);
  std::optional<Reason> refused;
  for (std::uint32_t i = line.first; i < line.first + line.count; ++i) {
    const Sample& sample = batch.samples[i];
    switch (gathered.table.add(sample, batch.tags_of(sample), now)) {
      case Added::created:
      case Added::updated:
        ++gathered.counts.samples;
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

// The end of a datagram that was cut is no line: `x:123` read as `x:12` would be a wrong number.
std::string_view cut_tail(std::string_view& datagram) {
  const std::size_t newline = datagram.rfind('\n');
  const std::size_t whole = newline == std::string_view::npos ? 0 : newline + 1;
  const std::string_view tail = datagram.substr(whole);
  datagram = datagram.substr(0, whole);
  return tail;
}

}  // namespace

void ingest(std::string_view datagram, bool is_truncated, const LineLimits& limits, Instant now,
            Batch& scratch, Gathered& gathered) {
  IngestCounts& counts = gathered.counts;
  ++counts.datagrams;
  counts.bytes += datagram.size();
  counts.datagrams_empty += datagram.empty();
  if (is_truncated) {
    ++counts.datagrams_truncated;
    ++counts.lines;
    count_refused(Reason::truncated, cut_tail(datagram), gathered);
  }

  scratch.clear();
  parse_datagram(datagram, limits, scratch);
  counts.lines += scratch.lines.size() + scratch.refused.size();
  counts.fields_skipped += scratch.fields_skipped;
  for (const Refusal& refusal : scratch.refused)
    count_refused(refusal.reason, refusal.line, gathered);
  for (const Line& line : scratch.lines) {
    if (const auto reason = add_line(line, scratch, now, gathered)) {
      count_refused(*reason, line.text, gathered);
    } else {
      ++counts.lines_accepted;
    }
  }
}

}  // namespace tally
