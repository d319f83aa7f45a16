#include "loss_log.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "tally/refused.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

constexpr std::chrono::seconds between_lines{10};

// "bad_value 10, unknown_type 2"
class Reasons {
 public:
  void add(std::string_view reason, std::uint64_t count) {
    if (count == 0) return;
    if (!text_.empty()) text_ += ", ";
    text_ += fmt::format("{} {}", reason, with_commas(count));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string kernel_line(std::uint64_t drops, std::uint64_t receive_buffer) {
  return fmt::format(
      "lost {} datagrams: the kernel dropped them because the receive buffer of {} was full; raise "
      "listen.receive_buffer (and, without CAP_NET_ADMIN, sysctl -w net.core.rmem_max={}), or "
      "spread the "
      "senders over listen.workers",
      with_commas(drops), as_size(receive_buffer), 2 * receive_buffer);
}

std::string refused_line(const Ledger& before, const Ledger& now,
                         const std::optional<std::string>& example) {
  Reasons reasons;
  for (std::size_t i = 0; i < reason_count; ++i) {
    reasons.add(to_string(static_cast<Reason>(i)),
                now.ingest.lines_refused[i] - before.ingest.lines_refused[i]);
  }
  const std::uint64_t all = now.ingest.refused() - before.ingest.refused();
  constexpr auto limit = static_cast<std::size_t>(Reason::series_limit);
  const std::uint64_t over_limit =
      now.ingest.lines_refused[limit] - before.ingest.lines_refused[limit];
  std::string line = fmt::format("refused {} lines ({})", with_commas(all), reasons.text());
  if (example) line += ", such as " + *example;
  line += "; the other lines of their packets are counted";
  // Such a line is well by itself.
  if (over_limit > 0) line += "; see what fills limits.series with: tallyd top --by series";
  if (over_limit < all) line += "; see why with: tallyd explain 'LINE'";
  return line + fmt::format("; SIGUSR1 makes tallyd log the last {}", RefusedRing::lines_max);
}

std::string denied_line(std::uint64_t datagrams, std::uint64_t connections) {
  return fmt::format(
      "denied {} datagrams and {} connections: listen.allow does not name their senders; add "
      "their network there if they may send",
      with_commas(datagrams), with_commas(connections));
}

std::string unread_line(std::uint64_t datagrams) {
  return fmt::format(
      "lost {} datagrams: they still waited to be read when the stop's time for that was up; this "
      "machine was too busy to take their lines",
      with_commas(datagrams));
}

std::string not_statsd_line(std::uint64_t connections) {
  return fmt::format(
      "hung up on {} connections that spoke HTTP or TLS to a StatsD port: nothing of them was "
      "counted; a browser, a health check or a wrong port number does this",
      with_commas(connections));
}

std::string connections_line(const ConnectionCounts& before, const ConnectionCounts& now) {
  Reasons reasons;
  reasons.add("over limits.connections", now.refused - before.refused);
  reasons.add("frame longer than 64KiB", now.broken - before.broken);
  return fmt::format("hung up on {} connections ({}); what they would have sent is not counted",
                     with_commas(now.refused + now.broken - before.refused - before.broken),
                     reasons.text());
}

std::string points_line(const DeliveryCounts& before, const DeliveryCounts& now) {
  Reasons reasons;
  reasons.add("outbox_full", now.dropped_full - before.dropped_full);
  reasons.add("refused", now.dropped_refused - before.dropped_refused);
  reasons.add("type_conflict", now.dropped_conflict - before.dropped_conflict);
  reasons.add("beyond_retention", now.dropped_expired - before.dropped_expired);
  reasons.add("series_limit", now.dropped_series - before.dropped_series);
  reasons.add("spool_full", now.dropped_spool - before.dropped_spool);
  reasons.add("spool_age", now.dropped_age - before.dropped_age);
  reasons.add("spool_damaged", now.dropped_damaged - before.dropped_damaged);
  reasons.add("shutdown", now.dropped_shutdown - before.dropped_shutdown);
  return fmt::format(
      "lost {} points on their way to the database ({}); its own lines above say what it answered",
      with_commas(now.dropped() - before.dropped()), reasons.text());
}

}  // namespace

bool LossLog::may_speak(const Kind& kind, Instant time, bool is_last) const {
  return is_last || !kind.said || time - *kind.said >= between_lines;
}

std::vector<std::string> LossLog::lines(const Ledger& now,
                                        const std::optional<std::string>& example, Instant time,
                                        bool is_last) {
  std::vector<std::string> result;
  const auto say = [&](Kind& kind, bool is_new, auto&& text) {
    if (!is_new || !may_speak(kind, time, is_last)) return;
    result.push_back(text(kind.before));
    kind = {.said = time, .before = now};
  };
  say(kernel_, now.ingest.kernel_drops != kernel_.before.ingest.kernel_drops,
      [&](const Ledger& before) {
        return kernel_line(now.ingest.kernel_drops - before.ingest.kernel_drops, receive_buffer_);
      });
  say(refused_, now.ingest.refused() != refused_.before.ingest.refused(),
      [&](const Ledger& before) { return refused_line(before, now, example); });
  const auto denied = [](const Ledger& ledger) {
    return ledger.ingest.datagrams_denied + ledger.ingest.connections.denied;
  };
  say(denied_, denied(now) != denied(denied_.before), [&](const Ledger& before) {
    return denied_line(now.ingest.datagrams_denied - before.ingest.datagrams_denied,
                       now.ingest.connections.denied - before.ingest.connections.denied);
  });
  say(unread_, now.ingest.datagrams_unread != unread_.before.ingest.datagrams_unread,
      [&](const Ledger& before) {
        return unread_line(now.ingest.datagrams_unread - before.ingest.datagrams_unread);
      });
  const ConnectionCounts& connections = now.ingest.connections;
  const std::uint64_t not_statsd_before = not_statsd_.before.ingest.connections.not_statsd;
  say(not_statsd_, connections.not_statsd != not_statsd_before,
      [&](const Ledger&) { return not_statsd_line(connections.not_statsd - not_statsd_before); });
  const auto hung_up = [](const Ledger& ledger) {
    return ledger.ingest.connections.refused + ledger.ingest.connections.broken;
  };
  say(connections_, hung_up(now) != hung_up(connections_.before), [&](const Ledger& before) {
    return connections_line(before.ingest.connections, connections);
  });
  say(points_, now.delivered().dropped() != points_.before.delivered().dropped(),
      [&](const Ledger& before) { return points_line(before.delivered(), now.delivered()); });
  return result;
}

}  // namespace tally
