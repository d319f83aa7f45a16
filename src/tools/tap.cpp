#include "tools/tap.hpp"

#include <fmt/format.h>

#include <chrono>
#include <limits>
#include <optional>
#include <ostream>
#include <string>

#include "deliver/url.hpp"
#include "tally/text.hpp"
#include "tools/complaint.hpp"
#include "tools/event_stream.hpp"
#include "tools/json_view.hpp"
#include "tools/local_time.hpp"
#include "tools/tap_text.hpp"
#include "tools/web.hpp"

namespace tally {
namespace {

using Clock = std::chrono::steady_clock;

std::string target_of(const Arguments& arguments, std::uint64_t limit) {
  std::string target = "/api/v1/tap?match=";
  if (!arguments.words.empty()) target += url_encoded(arguments.words[0]);
  if (arguments.has("sender")) target += "&sender=" + url_encoded(arguments.value("sender"));
  if (arguments.has("refused")) target += "&refused=1";
  if (limit > 0) target += fmt::format("&limit={}", limit);
  return target;
}

/// Prints what comes.
class Tap {
 public:
  Tap(const Config& config, std::ostream& out, std::ostream& err)
      : config_(config), out_(out), err_(err) {}

  /// Whether more is wanted: not when nobody reads any more.
  bool take(std::string_view piece) {
    stream_.take(piece, [this](const StreamEvent& event) { print(event); });
    return static_cast<bool>(out_.flush());
  }

  std::uint64_t lines() const { return lines_; }

  void say_total() {
    skipped_ += stream_.left_out();
    if (skipped_ > 0)
      err_ << fmt::format("tallyd: {} lines shown, {} datagrams skipped\n", with_commas(lines_),
                          with_commas(skipped_));
  }

 private:
  void print(const StreamEvent& event) {
    const Json json = read_json(event.data);
    const JsonView view(json);
    if (event.name == "skipped") return note_skipped(view.count("datagrams"));
    if (event.name != "line") return;
    ++lines_;
    out_ << tap_text(view, time_of_day(view.number("at")), config_);
  }

  /// At most once a second: under a flood there is something skipped all the time.
  void note_skipped(std::uint64_t datagrams) {
    skipped_ += datagrams;
    if (Clock::now() < next_note_) return;
    next_note_ = Clock::now() + std::chrono::seconds(1);
    err_ << fmt::format(
        "tallyd: {} datagrams skipped so far: more arrive than a tap takes; name a pattern or "
        "--sender\n",
        with_commas(skipped_));
  }

  const Config& config_;
  std::ostream& out_;
  std::ostream& err_;
  EventStream stream_;
  std::uint64_t lines_ = 0;
  std::uint64_t skipped_ = 0;
  Clock::time_point next_note_{};
};

}  // namespace

int run_tap(const Arguments& arguments, const Config& config, std::ostream& out,
            std::ostream& err) {
  const Result<std::uint64_t> limit = arguments.number(
      "limit", {.otherwise = 0, .least = 1, .most = std::numeric_limits<std::uint32_t>::max()});
  if (!limit) return complain(err, limit.error(), exit_usage);
  const Result<Site> site = site_of(arguments, config);
  if (!site) return complain(err, site.error(), exit_usage);
  Tap tap(config, out, err);
  const std::optional<Response> answer =
      follow(site.value(), target_of(arguments, limit.value()),
             [&tap](std::string_view piece) { return tap.take(piece); });
  tap.say_total();
  if (!answer) return 0;
  if (limit.value() > 0 && tap.lines() >= limit.value()) return 0;
  if (Status problem = problem_of(*answer, site.value()))
    return complain(err, *problem, exit_failed);
  if (!out) return exit_failed;
  return complain(err, Error{site.value().url + " ended the stream: tallyd was stopped"},
                  exit_failed);
}

}  // namespace tally
