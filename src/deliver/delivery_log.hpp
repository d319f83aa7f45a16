#pragma once
// What an operator reads of one destination: one line for each thing that happens, none a request.

#include <spdlog/logger.h>

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "tally/api.hpp"
#include "tally/delivery.hpp"
#include "tally/response.hpp"
#include "tally/time.hpp"
#include "tally/verdict.hpp"

namespace tally {

/// Of many lines of one kind, lets one through each ten seconds and counts the others.
class LogThrottle {
 public:
  /// What makes two answers the same story.
  struct Kind {
    enum class Topic : std::uint8_t { write, create, full } topic = Topic::write;
    Action action = Action::keep;
    PointLoss loss = PointLoss::none;
    NoAnswer no_answer = NoAnswer::broken;
    int status = 0;
    friend auto operator<=>(const Kind&, const Kind&) = default;
  };
  /// Since the last line of this kind, this time included.
  struct Since {
    std::uint64_t times = 0;
    std::uint64_t points = 0;
  };

  /// Something if a line may be written now.
  std::optional<Since> pass(const Kind& kind, std::uint64_t points, Instant now);

  /// An outage is over: what failed in it is not told in the next one's lines. Points that were
  /// lost still are.
  void forget_failures();

 private:
  struct Entry {
    std::optional<Instant> last;
    Since since;
  };
  std::map<Kind, Entry> entries_;
};

/// Knows when a destination went away and says so, and when it came back. Main's loop.
class DeliveryLog {
 public:
  using Kind = LogThrottle::Kind;

  /// Where points are that are not written, as far as lines tell it.
  struct Waiting {
    DeliveryCounts counts;
    std::uint64_t spool_bytes = 0;
    std::uint64_t spool_bytes_max = 0;  ///< 0: there is no spool
  };

  /// `name` stands in front of each line: "" where there is only one destination.
  DeliveryLog(spdlog::logger& log, std::string url, const std::string& name = {})
      : log_(log), url_(std::move(url)), prefix_(name.empty() ? "" : name + ": ") {}

  /// An attempt ended with `verdict`. `waiting` is as it was before.
  void settled(const Kind& kind, const Verdict& verdict, const Waiting& waiting, Instant now);
  /// Something that must be mended first failed, such as creating the database.
  void failed(const Kind& kind, const Verdict& verdict, const Waiting& waiting, Instant now);
  /// Memory was full.
  void dropped(std::uint64_t points, std::size_t bytes_max, const Waiting& waiting, Instant now);

  /// A backlog begins to be written, to be empty in about that time; will begin in that time, which
  /// was drawn; and is written.
  void replay_begins(const Waiting& waiting, std::chrono::seconds time);
  void replay_waits(const Waiting& waiting, std::chrono::seconds time);
  void replay_ended(std::uint64_t points, std::chrono::seconds time);

  void found(const Server& server);
  void created(const std::string& database);
  void credentials_changed(const std::string& username);
  /// The end: `lost` are gone, `waiting` stay on disk.
  void ended(std::uint64_t lost, const Waiting& waiting);

 private:
  void say(spdlog::level::level_enum level, const std::string& line);
  void lost(const Kind& kind, const Verdict& verdict, Instant now);
  void recovered(const Waiting& waiting, Instant now);

  /// From the first attempt that failed until one succeeds.
  struct Outage {
    Instant began;
    std::uint64_t attempts = 0;
    bool is_reported = false;
  };

  spdlog::logger& log_;
  std::string url_;
  std::string prefix_;
  std::optional<Outage> outage_;
  LogThrottle throttle_;
};

/// What makes an answer to `topic` the same story as another.
LogThrottle::Kind kind_of(LogThrottle::Kind::Topic topic, const Response& response,
                          const Verdict& verdict);

}  // namespace tally
