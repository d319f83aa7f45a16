#include "tally/ingest.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

namespace tally {
namespace {

void count_refused(const Refusal& refusal, const Arrival& arrival, Gathered& gathered) {
  IngestCounts& counts = gathered.counts[arrival.listener];
  ++counts.lines_refused[static_cast<std::size_t>(refusal.reason)];
  ++gathered.senders[arrival.sender].refused;
  gathered.refused.add(refusal, arrival.listener, arrival.peer, arrival.now);
}

std::optional<Reason> add_notice(const Line& line, const Arrival& arrival, Gathered& gathered) {
  const bool is_full = gathered.notices.size() >= notices_max ||
                       gathered.notice_bytes + line.text.size() > notice_bytes_max;
  if (is_full) return Reason::notice_limit;
  gathered.notices.push_back({std::string(line.text), arrival.now});
  gathered.notice_bytes += line.text.size();
  ++gathered.counts[arrival.listener].samples;
  return std::nullopt;
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

std::optional<Reason> reason_of(Added added) {
  if (added == Added::series_limit) return Reason::series_limit;
  if (added == Added::overflow) return Reason::overflow;
  return std::nullopt;
}

Timing timing_of(std::int64_t time, WallTime now, WallTime opened,
                 std::chrono::milliseconds lateness) {
  using std::chrono::seconds;
  const std::int64_t now_seconds = std::chrono::floor<seconds>(now).time_since_epoch().count();
  if (time > now_seconds + ahead_max.count()) return Timing::ignored;
  // It names a whole second: that must have ended before the window for the sample to be late.
  if (time >= std::chrono::floor<seconds>(opened).time_since_epoch().count())
    return Timing::on_time;
  const bool is_too_late = time < now_seconds - std::chrono::ceil<seconds>(lateness).count();
  return is_too_late ? Timing::ignored : Timing::late;
}

void Ingestor::add(std::string_view text, const Arrival& arrival, Gathered& gathered) {
  gathered.senders[arrival.sender].bytes += text.size();
  scan(text, arrival, gathered);
  add_scanned(arrival, gathered);
}

void Ingestor::add_datagrams(std::span<const Datagram> datagrams, const Arrival& arrival,
                             Gathered& gathered) {
  IngestCounts& counts = gathered.counts[arrival.listener];
  Sender& sender = gathered.senders[arrival.sender];
  counts.datagrams += datagrams.size();
  sender.datagrams += datagrams.size();
  for (const Datagram& datagram : datagrams) {
    std::string_view text = datagram.bytes;
    counts.bytes += text.size();
    counts.datagrams_empty += text.empty();
    if (datagram.is_truncated) [[unlikely]] {
      ++counts.datagrams_truncated;
      add_scanned(arrival, gathered);  // what came before it is refused before it
      refuse(Reason::truncated, cut_tail(text), arrival, gathered);
    }
    sender.bytes += text.size();
    scan(text, arrival, gathered);
  }
  add_scanned(arrival, gathered);
}

// Cuts a text into lines, and adds them as often as there are enough. The rest of them waits for
// `add_scanned`, and points into the text until then.
void Ingestor::scan(std::string_view text, const Arrival& arrival, Gathered& gathered) {
  scanner_.start(text, arrival.has_padding);
  while (const std::size_t count = scanner_.next(std::span(lines_).subspan(scanned_))) {
    scanned_ += count;
    if (scanned_ == lines_.size()) add_scanned(arrival, gathered);
  }
}

void Ingestor::add_scanned(const Arrival& arrival, Gathered& gathered) {
  const std::span lines(lines_.data(), std::exchange(scanned_, 0));
  IngestCounts& counts = gathered.counts[arrival.listener];
  const std::uint64_t lines_before = counts.lines;
  const Hearing hearing(arrival.now, arrival.sender);
  gathered.table.look_up(lines);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Table::AddedKnown known = gathered.table.add_known(lines.subspan(i), hearing);
    simple_taken_ += known.lines;
    if (known.overflowed != 0) [[unlikely]]
      refuse_overflowed(lines.subspan(i), known.overflowed, arrival, gathered);
    i += known.lines;
    if (i < lines.size()) add_other(lines[i], arrival, gathered);
  }
  counts.lines += simple_taken_;
  counts.lines_accepted += simple_taken_;
  counts.samples += simple_taken_;
  simple_taken_ = 0;
  gathered.senders[arrival.sender].lines += counts.lines - lines_before;
}

// Of lines that were counted as taken: those with a bit in `overflowed`.
void Ingestor::refuse_overflowed(std::span<const ScannedLine> lines, std::uint64_t overflowed,
                                 const Arrival& arrival, Gathered& gathered) {
  for (; overflowed != 0; overflowed &= overflowed - 1) {
    const ScannedLine& line = lines[static_cast<std::size_t>(std::countr_zero(overflowed))];
    --simple_taken_;
    ++gathered.counts[arrival.listener].lines;
    count_refused({Reason::overflow, 0, line.text()}, arrival, gathered);
  }
}

// One that is not known by its spelling.
void Ingestor::add_other(const ScannedLine& line, const Arrival& arrival, Gathered& gathered) {
  if (!line.is_simple) return add_parsed(line.text(), arrival, gathered);
  if (line.tags_size == 0 && is_plain_name(line.name(), rules_.parse))
    return add_simple(line, arrival, gathered);
  add_parsed(line.text(), arrival, gathered);
  const bool is_taken = batch_.samples.size() == 1 && batch_.refused.empty();
  if (is_taken && batch_.samples[0].time == 0) gathered.table.learn(line);
}

void Ingestor::add_simple(const ScannedLine& line, const Arrival& arrival, Gathered& gathered) {
  if (const auto reason =
          reason_of(gathered.table.add_plain(line, {arrival.now, arrival.sender}))) {
    ++gathered.counts[arrival.listener].lines;
    return count_refused({*reason, 0, line.text()}, arrival, gathered);
  }
  ++simple_taken_;
}

// One line the general way. `batch_` then holds what it was.
void Ingestor::add_parsed(std::string_view text, const Arrival& arrival, Gathered& gathered) {
  batch_.clear();
  parse_line(text, rules_.parse, batch_);
  IngestCounts& counts = gathered.counts[arrival.listener];
  counts.lines += batch_.lines.size() + batch_.refused.size();
  counts.fields_skipped += batch_.fields_skipped;
  for (const Refusal& refusal : batch_.refused) count_refused(refusal, arrival, gathered);
  for (const Line& line : batch_.lines) {
    if (const auto reason = add_line(line, arrival, gathered)) {
      count_refused({*reason, 0, line.text}, arrival, gathered);
    } else {
      ++counts.lines_accepted;
    }
  }
}

// Adds the samples of one line. A line of which any sample is refused counts as refused.
std::optional<Reason> Ingestor::add_line(const Line& line, const Arrival& arrival,
                                         Gathered& gathered) {
  if (is_notice(batch_.samples[line.first].kind)) return add_notice(line, arrival, gathered);
  IngestCounts& counts = gathered.counts[arrival.listener];
  std::optional<Reason> refused;
  for (std::uint32_t i = line.first; i < line.first + line.count; ++i) {
    Sample& sample = batch_.samples[i];
    const Timing timing = sample.time == 0 ? Timing::on_time
                                           : timing_of(sample.time, arrival.wall,
                                                       gathered.window_start, rules_.lateness);
    if (timing != Timing::late) sample.time = 0;
    const Added added =
        gathered.table.add(sample, batch_.tags_of(sample), {arrival.now, arrival.sender});
    if (const auto reason = reason_of(added)) {
      refused = reason;
      continue;
    }
    ++counts.samples;
    counts.samples_late += timing == Timing::late;
    counts.times_ignored += timing == Timing::ignored;
  }
  return refused;
}

void Ingestor::refuse(Reason reason, std::string_view line, const Arrival& arrival,
                      Gathered& gathered) {
  ++gathered.counts[arrival.listener].lines;
  ++gathered.senders[arrival.sender].lines;
  count_refused({reason, static_cast<std::uint32_t>(line.size()), line}, arrival, gathered);
}

bool Ingestor::is_line(std::string_view text) {
  batch_.clear();
  parse_datagram(text, rules_.parse, batch_);
  return batch_.lines.size() == 1 && batch_.refused.empty();
}

IngestCounts Gathered::total() const {
  IngestCounts total;
  for (const IngestCounts& one : counts) total += one;
  return total;
}

void Gathered::merge(Gathered& other) {
  counts.resize(std::max(counts.size(), other.counts.size()));
  for (std::size_t i = 0; i < other.counts.size(); ++i) counts[i] += other.counts[i];
  notices.insert(notices.end(), std::make_move_iterator(other.notices.begin()),
                 std::make_move_iterator(other.notices.end()));
  refused.merge(other.refused);
  table.merge(std::move(other.table), senders.merge(other.senders));
}

}  // namespace tally
