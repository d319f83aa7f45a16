#include "loss_log.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

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
                         const std::optional<RefusedExample>& example) {
  Reasons reasons;
  for (std::size_t i = 0; i < reason_count; ++i) {
    reasons.add(to_string(static_cast<Reason>(i)),
                now.ingest.lines_refused[i] - before.ingest.lines_refused[i]);
  }
  std::string line =
      fmt::format("refused {} lines ({})",
                  with_commas(now.ingest.refused() - before.ingest.refused()), reasons.text());
  if (example)
    line += fmt::format(", such as {} ({})", quote(example->line), to_string(example->reason));
  return line + "; their neighbours are counted; see why with: tallyd explain 'LINE'";
}

std::string points_line(const OutboxCounts& before, const OutboxCounts& now) {
  Reasons reasons;
  reasons.add("outbox_full", now.dropped_full - before.dropped_full);
  reasons.add("refused", now.dropped_refused - before.dropped_refused);
  reasons.add("type_conflict", now.dropped_conflict - before.dropped_conflict);
  reasons.add("beyond_retention", now.dropped_expired - before.dropped_expired);
  reasons.add("series_limit", now.dropped_series - before.dropped_series);
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
                                        const std::optional<RefusedExample>& example, Instant time,
                                        bool is_last) {
  if (example) example_ = example;
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
      [&](const Ledger& before) {
        return refused_line(before, now, std::exchange(example_, std::nullopt));
      });
  say(points_, now.outbox.dropped() != points_.before.outbox.dropped(),
      [&](const Ledger& before) { return points_line(before.outbox, now.outbox); });
  return result;
}

}  // namespace tally
