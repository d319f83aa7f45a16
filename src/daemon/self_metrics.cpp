// The core counters are written at zero too: an alert on a series that is not there never fires.
// Counters by reason are written when they moved.

#include "self_metrics.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace tally {
namespace {

struct OneTag {
  std::string_view key;
  std::string_view value;
};

class Writer {
 public:
  Writer(std::span<const StaticTag> static_tags, Snapshot& snapshot)
      : keys_(static_tags), snapshot_(snapshot) {}

  void counter(std::string_view name, OneTag tag, std::uint64_t before, std::uint64_t now) {
    const auto count = static_cast<double>(now - before);
    const double seconds = std::chrono::duration<double>(snapshot_.span.interval).count();
    snapshot_.counters.push_back({key(Kind::counter, name, tag), count, count / seconds});
  }
  void counter_if_moved(std::string_view name, OneTag tag, std::uint64_t before,
                        std::uint64_t now) {
    if (now != before) counter(name, tag, before, now);
  }
  void gauge(std::string_view name, double value) {
    snapshot_.gauges.push_back({key(Kind::gauge, name, {}), value});
  }

 private:
  std::string_view key(Kind kind, std::string_view name, OneTag tag) {
    const Tag one{.key = tag.key, .value = tag.value};
    const std::span<const Tag> tags(&one, tag.key.empty() ? 0 : 1);
    return snapshot_.owned_keys.emplace_back(keys_.build(kind, name, tags));
  }

  SeriesKeyBuilder keys_;
  Snapshot& snapshot_;
};

void add_ingest(const IngestCounts& before, const IngestCounts& now, Writer& writer) {
  const auto datagrams = [&](std::string_view state, std::uint64_t IngestCounts::*count) {
    writer.counter("tallyd.datagrams", {"state", state}, before.*count, now.*count);
  };
  datagrams("received", &IngestCounts::datagrams);
  datagrams("dropped_by_kernel", &IngestCounts::kernel_drops);
  datagrams("truncated", &IngestCounts::datagrams_truncated);
  datagrams("empty", &IngestCounts::datagrams_empty);
  writer.counter("tallyd.received_bytes", {}, before.bytes, now.bytes);
  writer.counter("tallyd.receive_errors", {}, before.receive_errors, now.receive_errors);
  writer.counter("tallyd.lines", {"state", "accepted"}, before.lines_accepted, now.lines_accepted);
  writer.counter("tallyd.lines", {"state", "refused"}, before.refused(), now.refused());
  for (std::size_t i = 0; i < reason_count; ++i) {
    writer.counter_if_moved("tallyd.lines_refused", {"reason", to_string(static_cast<Reason>(i))},
                            before.lines_refused[i], now.lines_refused[i]);
  }
  writer.counter("tallyd.samples", {}, before.samples, now.samples);
  writer.counter("tallyd.fields_skipped", {}, before.fields_skipped, now.fields_skipped);
}

void add_points(const Ledger& before, const Ledger& now, Writer& writer) {
  const auto points = [&](std::string_view state, std::uint64_t was, std::uint64_t is) {
    writer.counter("tallyd.points", {"state", state}, was, is);
  };
  points("flushed", before.points_flushed, now.points_flushed);
  points("written", before.outbox.written, now.outbox.written);
  points("dropped", before.outbox.dropped(), now.outbox.dropped());
  const auto dropped = [&](std::string_view reason, std::uint64_t OutboxCounts::*count) {
    writer.counter_if_moved("tallyd.points_dropped", {"reason", reason}, before.outbox.*count,
                            now.outbox.*count);
  };
  dropped("outbox_full", &OutboxCounts::dropped_full);
  dropped("refused", &OutboxCounts::dropped_refused);
  dropped("type_conflict", &OutboxCounts::dropped_conflict);
  dropped("beyond_retention", &OutboxCounts::dropped_expired);
  dropped("series_limit", &OutboxCounts::dropped_series);
  dropped("shutdown", &OutboxCounts::dropped_shutdown);
  writer.counter("tallyd.requests", {"state", "sent"}, before.outbox.attempts, now.outbox.attempts);
  writer.counter("tallyd.requests", {"state", "retried"}, before.outbox.retries,
                 now.outbox.retries);
}

}  // namespace

void add_self_metrics(const Ledger& before, const Ledger& now, const SelfGauges& gauges,
                      std::span<const StaticTag> static_tags, Snapshot& snapshot) {
  Writer writer(static_tags, snapshot);
  add_ingest(before.ingest, now.ingest, writer);
  add_points(before, now, writer);
  writer.counter("tallyd.lost", {}, before.lost(), now.lost());
  writer.counter("tallyd.windows_late", {}, before.windows_late, now.windows_late);
  writer.counter("tallyd.estimated", {"kind", "set"}, before.sets_estimated, now.sets_estimated);
  writer.counter("tallyd.estimated", {"kind", "timer"}, before.timers_estimated,
                 now.timers_estimated);
  writer.counter("tallyd.gauges_expired", {}, before.gauges_expired, now.gauges_expired);
  writer.counter("tallyd.gauges_not_carried", {}, before.gauges_not_carried,
                 now.gauges_not_carried);
  writer.gauge("tallyd.points_queued", static_cast<double>(now.outbox.queued));
  writer.gauge("tallyd.outbox_bytes", static_cast<double>(gauges.outbox_bytes));
  writer.gauge("tallyd.series", static_cast<double>(gauges.series));
  writer.gauge("tallyd.gauges_held", static_cast<double>(gauges.gauges_held));
  writer.gauge("tallyd.receive_buffer_fill", gauges.receive_buffer_fill);
}

}  // namespace tally
