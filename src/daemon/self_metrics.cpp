// The core counters are written at zero too: an alert on a series that is not there never fires.
// Counters by reason are written when they moved.

#include "self_metrics.hpp"

#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tally {
namespace {

using Tags = std::initializer_list<TagView>;

class Writer {
 public:
  Writer(std::span<const StaticTag> static_tags, Snapshot& snapshot)
      : keys_(static_tags), snapshot_(snapshot) {}

  void counter(std::string_view name, Tags tags, std::uint64_t before, std::uint64_t now) {
    const auto count = static_cast<double>(now - before);
    const double seconds = std::chrono::duration<double>(snapshot_.span.interval).count();
    snapshot_.counters.push_back({key(Kind::counter, name, tags), count, count / seconds});
  }
  void counter_if_moved(std::string_view name, Tags tags, std::uint64_t before, std::uint64_t now) {
    if (now != before) counter(name, tags, before, now);
  }
  void gauge(std::string_view name, double value, Tags tags = {}) {
    snapshot_.gauges.push_back({key(Kind::gauge, name, tags), value});
  }

 private:
  std::string_view key(Kind kind, std::string_view name, Tags tags) {
    std::vector<Tag> own;
    for (const TagView& tag : tags) own.push_back({.key = tag.key, .value = tag.value});
    return snapshot_.owned_keys.emplace_back(keys_.build(kind, name, own));
  }

  SeriesKeyBuilder keys_;
  Snapshot& snapshot_;
};

void add_ingest(const IngestCounts& before, const IngestCounts& now, Writer& writer) {
  const auto datagrams = [&](std::string_view state, std::uint64_t IngestCounts::*count) {
    writer.counter("tallyd.datagrams", {{"state", state}}, before.*count, now.*count);
  };
  datagrams("received", &IngestCounts::datagrams);
  datagrams("dropped_by_kernel", &IngestCounts::kernel_drops);
  datagrams("truncated", &IngestCounts::datagrams_truncated);
  datagrams("empty", &IngestCounts::datagrams_empty);
  datagrams("denied", &IngestCounts::datagrams_denied);
  writer.counter("tallyd.received_bytes", {}, before.bytes, now.bytes);
  writer.counter("tallyd.receive_errors", {}, before.receive_errors, now.receive_errors);
  writer.counter("tallyd.lines", {{"state", "accepted"}}, before.lines_accepted,
                 now.lines_accepted);
  writer.counter("tallyd.lines", {{"state", "refused"}}, before.refused(), now.refused());
  for (std::size_t i = 0; i < reason_count; ++i) {
    writer.counter_if_moved("tallyd.lines_refused", {{"reason", to_string(static_cast<Reason>(i))}},
                            before.lines_refused[i], now.lines_refused[i]);
  }
  writer.counter("tallyd.samples", {}, before.samples, now.samples);
  writer.counter_if_moved("tallyd.samples_late", {}, before.samples_late, now.samples_late);
  writer.counter_if_moved("tallyd.times_ignored", {}, before.times_ignored, now.times_ignored);
  writer.counter("tallyd.fields_skipped", {}, before.fields_skipped, now.fields_skipped);
}

// What moved, listener by listener: a sender that is denied, or that speaks another protocol, is
// found by where it does.
void add_listener(std::string_view name, const IngestCounts& before, const IngestCounts& now,
                  Writer& writer) {
  const auto count = [&](std::string_view metric, std::uint64_t was, std::uint64_t is) {
    writer.counter_if_moved(metric, {{"listener", name}}, was, is);
  };
  count("tallyd.listener.datagrams", before.datagrams, now.datagrams);
  count("tallyd.listener.bytes", before.bytes + before.connections.bytes,
        now.bytes + now.connections.bytes);
  count("tallyd.listener.kernel_drops", before.kernel_drops, now.kernel_drops);
  count("tallyd.listener.denied", before.datagrams_denied + before.connections.denied,
        now.datagrams_denied + now.connections.denied);
  count("tallyd.listener.lines", before.lines, now.lines);
  for (std::size_t i = 0; i < reason_count; ++i) {
    writer.counter_if_moved("tallyd.listener.refused",
                            {{"listener", name}, {"reason", to_string(static_cast<Reason>(i))}},
                            before.lines_refused[i], now.lines_refused[i]);
  }
  const auto connections = [&](std::string_view state, std::uint64_t ConnectionCounts::*field) {
    writer.counter_if_moved("tallyd.listener.connections", {{"listener", name}, {"state", state}},
                            before.connections.*field, now.connections.*field);
  };
  connections("accepted", &ConnectionCounts::accepted);
  connections("denied", &ConnectionCounts::denied);
  connections("refused", &ConnectionCounts::refused);
  connections("idle", &ConnectionCounts::idle);
  connections("not_statsd", &ConnectionCounts::not_statsd);
  connections("broken", &ConnectionCounts::broken);
}

void add_listeners(const Ledger& before, const Ledger& now, std::span<const std::string> names,
                   Writer& writer) {
  for (std::size_t i = 0; i < now.by_listener.size(); ++i) {
    const IngestCounts was = i < before.by_listener.size() ? before.by_listener[i] : IngestCounts{};
    add_listener(names[i], was, now.by_listener[i], writer);
  }
}

// With one destination the series are what they always were; with several each has its name.
class Delivery {
 public:
  Delivery(std::string_view destination, Writer& writer)
      : destination_(destination), writer_(writer) {}

  void counter(std::string_view name, TagView tag, std::uint64_t before, std::uint64_t now) {
    if (destination_.empty()) return writer_.counter(name, {tag}, before, now);
    writer_.counter(name, {tag, {"destination", destination_}}, before, now);
  }
  void counter_if_moved(std::string_view name, TagView tag, std::uint64_t before,
                        std::uint64_t now) {
    if (now != before) counter(name, tag, before, now);
  }
  void gauge(std::string_view name, std::uint64_t value) {
    if (destination_.empty()) return writer_.gauge(name, static_cast<double>(value));
    writer_.gauge(name, static_cast<double>(value), {{"destination", destination_}});
  }

 private:
  std::string_view destination_;
  Writer& writer_;
};

void add_delivery(const DeliveryCounts& before, const DeliveryCounts& now, Delivery& writer) {
  writer.counter("tallyd.points", {"state", "written"}, before.written, now.written);
  writer.counter("tallyd.points", {"state", "dropped"}, before.dropped(), now.dropped());
  writer.counter_if_moved("tallyd.points", {"state", "recovered"}, before.recovered, now.recovered);
  writer.counter_if_moved("tallyd.points", {"state", "dead_lettered"}, before.dead, now.dead);
  const auto dropped = [&](std::string_view reason, std::uint64_t DeliveryCounts::*count) {
    writer.counter_if_moved("tallyd.points_dropped", {"reason", reason}, before.*count, now.*count);
  };
  dropped("outbox_full", &DeliveryCounts::dropped_full);
  dropped("refused", &DeliveryCounts::dropped_refused);
  dropped("type_conflict", &DeliveryCounts::dropped_conflict);
  dropped("beyond_retention", &DeliveryCounts::dropped_expired);
  dropped("series_limit", &DeliveryCounts::dropped_series);
  dropped("spool_full", &DeliveryCounts::dropped_spool);
  dropped("spool_age", &DeliveryCounts::dropped_age);
  dropped("spool_damaged", &DeliveryCounts::dropped_damaged);
  dropped("shutdown", &DeliveryCounts::dropped_shutdown);
  writer.counter("tallyd.requests", {"state", "sent"}, before.attempts, now.attempts);
  writer.counter("tallyd.requests", {"state", "retried"}, before.retries, now.retries);
  writer.gauge("tallyd.points_queued", now.queued);
  writer.gauge("tallyd.points_spooled", now.spooled);
}

void add_deliveries(const Ledger& before, const Ledger& now, const SelfGauges& gauges,
                    std::span<const std::string> names, Writer& writer) {
  writer.counter("tallyd.points", {{"state", "flushed"}}, before.points_flushed,
                 now.points_flushed);
  for (std::size_t i = 0; i < now.deliveries.size(); ++i) {
    Delivery each(names.size() > 1 ? std::string_view(names[i]) : std::string_view(), writer);
    add_delivery(i < before.deliveries.size() ? before.deliveries[i] : DeliveryCounts{},
                 now.deliveries[i], each);
    if (i < gauges.outbox_bytes.size()) each.gauge("tallyd.outbox_bytes", gauges.outbox_bytes[i]);
    if (i < gauges.spool_bytes.size()) each.gauge("tallyd.spool_bytes", gauges.spool_bytes[i]);
  }
}

}  // namespace

void add_self_metrics(const Ledger& before, const Ledger& now, const SelfGauges& gauges,
                      const SelfNaming& naming, Snapshot& snapshot) {
  Writer writer(naming.static_tags, snapshot);
  add_ingest(before.ingest, now.ingest, writer);
  add_listeners(before, now, naming.listeners, writer);
  add_deliveries(before, now, gauges, naming.destinations, writer);
  writer.counter("tallyd.lost", {}, before.lost(), now.lost());
  writer.counter("tallyd.windows_late", {}, before.windows_late, now.windows_late);
  writer.counter_if_moved("tallyd.windows_joined", {}, before.windows_joined, now.windows_joined);
  writer.counter("tallyd.estimated", {{"kind", "set"}}, before.sets_estimated, now.sets_estimated);
  writer.counter("tallyd.estimated", {{"kind", "timer"}}, before.timers_estimated,
                 now.timers_estimated);
  writer.counter("tallyd.gauges_expired", {}, before.gauges_expired, now.gauges_expired);
  writer.counter("tallyd.gauges_not_carried", {}, before.gauges_not_carried,
                 now.gauges_not_carried);
  writer.gauge("tallyd.series", static_cast<double>(gauges.series));
  writer.gauge("tallyd.gauges_held", static_cast<double>(gauges.gauges_held));
  writer.gauge("tallyd.connections", static_cast<double>(gauges.connections));
  writer.gauge("tallyd.receive_buffer_fill", gauges.receive_buffer_fill);
}

}  // namespace tally
