#include "tools/top.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tally/text.hpp"
#include "tools/complaint.hpp"
#include "tools/json_view.hpp"
#include "tools/local_time.hpp"
#include "tools/terminal.hpp"
#include "tools/top_state.hpp"
#include "tools/top_view.hpp"
#include "tools/web.hpp"
#include "uv/handles.hpp"

namespace tally {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view ledger_target = "/api/v1/ledger";

void take_ledger(TopState& state, const Json& json) {
  take_summary(state, read_top_summary(JsonView(json)));
  state.clock = time_of_day(state.summary->now_ms).substr(0, 8);
}

// -------------------------------------------------------------------------------- in a terminal

/// Asks once a second, and at once when a key wants something else.
class Top {
 public:
  Top(const Site& site, TopState state) : site_(site), state_(std::move(state)) {}

  void run();

 private:
  void ask();
  void ask_for_table();
  void take(const Response& response, std::string& trouble,
            const std::function<void(const Json&)>& read);
  void on_keys();
  void draw() const { terminal_.draw(render(state_, terminal_.screen())); }

  const Site& site_;
  TopState state_;
  uv::Loop loop_;
  Terminal terminal_;
  Http http_{loop_, web_settings()};
  uv::Timer timer_{loop_, [this] { ask(); }};
  uv::Poll keys_{loop_, Terminal::keys_fd, [this](int) { on_keys(); }};
  uv::Signal resized_{loop_, SIGWINCH, [this] { draw(); }};
  std::vector<std::unique_ptr<uv::Signal>> ends_;
  std::uint64_t view_ = 0;  // counts changes of what is asked for
  int unanswered_ = 0;
};

void Top::run() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
    ends_.push_back(std::make_unique<uv::Signal>(loop_, number, [this] { loop_.stop(); }));
  keys_.watch(UV_READABLE);
  timer_.start(0ms, 1s);
  draw();
  loop_.run();
}

void Top::ask() {
  if (unanswered_ > 0) return;  // a slow server is not asked faster than it answers
  ++unanswered_;
  http_.send(get(site_, ledger_target), [this](const Response& response) {
    --unanswered_;
    take(response, state_.ledger_trouble, [this](const Json& json) { take_ledger(state_, json); });
  });
  ask_for_table();
}

void Top::ask_for_table() {
  ++unanswered_;
  const std::string target = table_target(state_, table_rows(state_, terminal_.screen()));
  http_.send(get(site_, target), [this, view = view_](const Response& response) {
    --unanswered_;
    if (view != view_) return;  // of a view that is gone
    take(response, state_.table_trouble,
         [this](const Json& json) { state_.table = read_top_table(JsonView(json), state_.by); });
  });
}

void Top::take(const Response& response, std::string& trouble,
               const std::function<void(const Json&)>& read) {
  const Result<Json> json = json_of(response, site_);
  trouble = json ? "" : json.error().message;
  if (json) read(json.value());
  draw();
}

void Top::on_keys() {
  const std::string bytes = terminal_.read_keys();
  if (bytes.empty()) return loop_.stop();
  for (const KeyPress& key : keys_of(bytes)) {
    const Wish wish = on_key(state_, key, table_rows(state_, terminal_.screen()));
    if (wish == Wish::quit) return loop_.stop();
    if (wish != Wish::ask) continue;
    ++view_;
    ask_for_table();
  }
  draw();
}

// ---------------------------------------------------------------------------------------- once

struct Look {
  std::string ledger;
  std::string table;
  TopState state;
};

Result<Json> read_answer(const Result<std::string>& body, const Site& site) {
  if (!body) return body.error();
  return json_of({.status = 200, .body = body.value()}, site);
}

/// Waits a second between two ledgers: a rate is what happens meanwhile.
void wait_a_second() {
  uv::Loop loop;
  uv::Timer timer(loop, [] {});
  timer.start(1s);
  loop.run();
}

Status take_ledger_from(const Site& site, Look& look) {
  Result<std::string> body = fetch(site, ledger_target);
  const Result<Json> json = read_answer(body, site);
  if (!json) return json.error();
  take_ledger(look.state, json.value());
  look.ledger = std::move(body).value();
  return {};
}

Status take_table_from(const Site& site, std::size_t rows, Look& look) {
  Result<std::string> body = fetch(site, table_target(look.state, rows));
  const Result<Json> json = read_answer(body, site);
  if (!json) return json.error();
  look.state.table = read_top_table(JsonView(json.value()), look.state.by);
  look.table = std::move(body).value();
  return {};
}

/// Head and table without the rest of a screen.
std::string as_text(const TopState& state) {
  constexpr std::size_t columns = 200;
  const std::size_t rows = state.table.rows.size() + state.summary->destinations.size() + 4;
  std::vector<std::string> lines = render(state, {.rows = rows, .columns = columns});
  lines.pop_back();  // the keys
  std::string text;
  for (const std::string& line : lines)
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  return text;
}

int look_once(const Arguments& arguments, const Site& site, TopState state, std::ostream& out,
              std::ostream& err) {
  const auto rows = arguments.number("limit", {.otherwise = 20, .least = 1, .most = 1000});
  if (!rows) return complain(err, rows.error(), exit_usage);
  Look look{.state = std::move(state)};
  Status error = take_ledger_from(site, look);
  if (!error) error = take_table_from(site, rows.value(), look);
  if (error) return complain(err, *error, exit_failed);
  if (arguments.has("json")) {
    out << fmt::format(R"({{"ledger":{},"by":"{}","table":{}}})", look.ledger,
                       top_names[static_cast<std::size_t>(look.state.by)], look.table)
        << '\n'
        << std::flush;
    return out ? 0 : exit_failed;
  }
  wait_a_second();
  if ((error = take_ledger_from(site, look))) return complain(err, *error, exit_failed);
  out << as_text(look.state) << std::flush;
  return out ? 0 : exit_failed;
}

Result<TopState> read_state(const Arguments& arguments) {
  TopState state;
  const auto by = arguments.choice("by", {std::begin(top_names), std::end(top_names)});
  if (!by) return by.error();
  state.by = static_cast<TopTab>(std::ranges::find(top_names, by.value()) - std::begin(top_names));
  const auto sort = arguments.choice("sort", {"rate", "name", "last", "bytes"});
  if (!sort) return sort.error();
  state.sort = sort.value();
  state.is_ascending = state.sort == "name";
  state.match = arguments.value("match");
  return state;
}

}  // namespace

int run_top(const Arguments& arguments, const Config& config, std::ostream& out,
            std::ostream& err) {
  Result<TopState> state = read_state(arguments);
  if (!state) return complain(err, state.error(), exit_usage);
  const Result<Site> site = site_of(arguments, config);
  if (!site) return complain(err, site.error(), exit_usage);
  if (arguments.has("once") || arguments.has("json"))
    return look_once(arguments, site.value(), std::move(state).value(), out, err);
  if (!Terminal::is_there())
    return complain(err, Error{"top needs a terminal; tallyd top --once prints one table"},
                    exit_usage);
  // Before the screen is taken: an error belongs where the command was typed.
  if (const Result<std::string> first = fetch(site.value(), ledger_target); !first)
    return complain(err, first.error(), exit_failed);
  Top(site.value(), std::move(state).value()).run();
  return 0;
}

}  // namespace tally
