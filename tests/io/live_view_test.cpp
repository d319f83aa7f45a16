// The daemon's parts put together without a database, and looked at while they work.

#include <doctest/doctest.h>
#include <spdlog/sinks/null_sink.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/flush.hpp"
#include "daemon/live_view.hpp"
#include "daemon/outputs.hpp"
#include "daemon/windows.hpp"
#include "tally/series.hpp"
#include "worker_rig.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

LoadedConfig config_of(std::chrono::milliseconds interval, std::uint32_t workers) {
  LoadedConfig loaded;
  loaded.config.listen.udp = {{"127.0.0.1", 0}};
  loaded.config.listen.workers = workers;
  loaded.config.flush.interval = interval;
  loaded.config.tags.clear();
  loaded.config.influxdb[0].url = "http://127.0.0.1:1";  // nobody answers: points wait
  return loaded;
}

// As daemon.cpp wires it.
class Rig {
 public:
  explicit Rig(std::chrono::milliseconds interval, std::uint32_t workers = 1)
      : loaded_(config_of(interval, workers)),
        outputs_(loop, log_),
        windows_(loop, loaded_.config, ledger, log_, windows_owner()),
        flush_(loop, loaded_.config, {}, outputs_, ledger, flush_owner()),
        view(loop,
             {loaded_, windows_, flush_, outputs_, ledger, refused_,
              [this](std::string_view who) { stopped_by = who; }},
             history_) {
    REQUIRE_FALSE(windows_.open());
    REQUIRE_FALSE(outputs_.open(loaded_.config));
    windows_.start();
  }
  ~Rig() {
    // What is on its way back must not meet a loop that is gone.
    windows_.stop();
    while (!is_over_) loop.turn();
    outputs_.drain(std::chrono::milliseconds(1), [this] { is_drained_ = true; });
    while (!is_drained_) loop.turn();
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  /// A socket that sends to the port where this listens.
  std::uint16_t port() const {
    const std::string& name = windows_.listeners()[0];
    return static_cast<std::uint16_t>(std::stoi(name.substr(name.rfind(':') + 1)));
  }
  /// Runs the loop until an answer came.
  template <class Answer>
  Answer wait(const std::function<void(std::function<void(Answer)>)>& ask) {
    std::optional<Answer> answer;
    ask([&](Answer one) { answer = std::move(one); });
    while (!answer) loop.turn();
    return *std::move(answer);
  }
  LiveState live() {
    return wait<LiveState>([this](auto done) { view.live(done); });
  }
  LiveState live_of(std::uint64_t lines) {
    LiveState state = live();
    while (state.ledger.ingest.lines < lines) state = live();
    return state;
  }
  std::vector<Looked> look(LookFor what) {
    return wait<std::vector<Looked>>([&](auto done) { view.look(what, done); });
  }
  std::vector<std::string> forget(LookFor what) {
    return wait<std::vector<std::string>>([&](auto done) { view.forget(what, done); });
  }
  const History& history() const { return history_; }
  void run_windows(std::uint64_t count) {
    const std::uint64_t until = ledger.windows + count;
    while (ledger.windows < until) loop.turn();
  }

  uv::Loop loop;
  Ledger ledger;
  std::string stopped_by;

 private:
  Windows::Owner windows_owner() {
    return {.on_ready = [this] { begin(); },
            .on_letter =
                [this](std::size_t worker, std::optional<Worker::Letter> letter) {
                  view.on_letter(worker, std::move(letter));
                }};
  }
  Flush::Owner flush_owner() {
    return {.on_begin =
                [this](const ClosedWindow& window) {
                  ledger.add(window.gathered.counts);
                  refused_.merge(window.gathered.refused);
                  history_.begin(window.span, window.gathered.senders.all());
                },
            .complete = [](Snapshot&) {},
            .on_slice = [this](const Snapshot& slice) { history_.note(slice); },
            .on_end = [this](ClosedWindow window,
                             std::chrono::nanoseconds) { end(std::move(window)); }};
  }
  void begin() {
    if (flush_.is_busy()) return;
    if (std::optional<ClosedWindow> window = windows_.take()) flush_.begin(*std::move(window));
  }
  void end(ClosedWindow window) {
    history_.end();
    is_over_ = window.is_last;
    const WallTime ended = window.span.start + window.span.interval;
    windows_.give_back(std::move(window));
    view.on_flushed(ended);
    begin();
  }

  LoadedConfig loaded_;
  spdlog::logger log_{"test", std::make_shared<spdlog::sinks::null_sink_mt>()};
  RefusedRing refused_;
  History history_{{.percents = {50, 75, 95, 99, 99.9}}};
  Outputs outputs_;
  Windows windows_;
  Flush flush_;
  bool is_over_ = false;
  bool is_drained_ = false;

 public:
  LiveView view;
};

}  // namespace

TEST_CASE("live view: what is seen is exact at every moment, through any number of windows") {
  for (const std::uint32_t workers : {1U, 3U}) {
    CAPTURE(workers);
    Rig rig(std::chrono::milliseconds(100), workers);
    std::vector<Client> clients;
    for (int i = 0; i < 8; ++i) clients.emplace_back(rig.port());
    std::uint64_t sent = 0, seen = 0;
    while (rig.ledger.windows < 12) {
      for (Client& client : clients) client.send("a:1|c\nb:2|ms\nbad\nc:3|g");
      sent += 4 * clients.size();
      const LiveState state = rig.live();
      CHECK(state.is_whole);
      CHECK(state.ledger.balances());
      CHECK(state.ledger.ingest.lines >= seen);
      CHECK(state.ledger.ingest.lines <= sent);
      seen = state.ledger.ingest.lines;
    }
    const LiveState last = rig.live_of(sent);
    CHECK(last.ledger.ingest.lines == sent);
    CHECK(last.ledger.ingest.refused() == sent / 4);
    CHECK(last.ledger.by_listener.size() == 1);
    CHECK(last.listeners[0].receive_buffer > 0);
    CHECK(last.refused.size() == RefusedRing::lines_max);
  }
}

TEST_CASE("live view: the open window's series, senders and refused lines are there at once") {
  Rig rig(std::chrono::hours(1));
  Client first(rig.port()), second(rig.port());
  first.send("a:1|c\nb:1|c");
  second.send("worse\nbad");
  rig.live_of(3);
  second.send("newest");
  const LiveState state = rig.live_of(5);
  CHECK(state.ledger.windows == 0);
  CHECK(state.series == 2);
  REQUIRE(state.senders.size() == 2);
  CHECK(state.senders[0].lines == 3);
  CHECK(state.senders[0].peer.port == second.port());
  REQUIRE(state.refused.size() == 3);
  CHECK(state.refused[0].text == "newest");
  REQUIRE(state.destinations.size() == 1);
  CHECK(state.destinations[0].url == "http://127.0.0.1:1");
}

TEST_CASE("live view: all who ask while a question is under way get the same answer") {
  Rig rig(std::chrono::hours(1));
  int answers = 0;
  for (int i = 0; i < 50; ++i) rig.view.live([&](const LiveState&) { ++answers; });
  while (answers < 50) rig.loop.turn();
  // And one who asks from inside an answer gets the next.
  bool has_second = false;
  rig.view.live(
      [&](const LiveState&) { rig.view.live([&](const LiveState&) { has_second = true; }); });
  while (!has_second) rig.loop.turn();
}

TEST_CASE("live view: series are looked up by kind and name, over all receive threads") {
  Rig rig(std::chrono::hours(1), 2);
  std::vector<Client> clients;
  for (int i = 0; i < 16; ++i) clients.emplace_back(rig.port());
  for (std::size_t i = 0; i < clients.size(); ++i)
    clients[i].send("api.n" + std::to_string(i) + ":1|c\napi.t:1|ms\nother:1|c");
  rig.live_of(3 * clients.size());
  std::set<std::string> names;
  for (const Looked& each : rig.look({.kinds = {Kind::counter}, .match = "api.*"})) {
    CHECK(each.kind == Kind::counter);
    names.emplace(name_of_series_key(each.key));
  }
  CHECK(names.size() == clients.size());
}

TEST_CASE("live view: what is forgotten is gone, of the open window and of gauges carried") {
  Rig rig(std::chrono::milliseconds(200));
  Client client(rig.port());
  client.send("load.a:1|g\nload.b:2|g\nhits:1|c");
  rig.live_of(3);
  rig.run_windows(2);
  const auto carried = [&] {
    std::vector<std::string> names;
    rig.view.gauges(
        [&](std::string_view key, double) { names.emplace_back(name_of_series_key(key)); });
    return names;
  };
  CHECK(carried() == std::vector<std::string>{"load.a", "load.b"});
  const auto remembered = [&] { return rig.history().find({.match = "load.a"}).matched; };
  CHECK(remembered() == 1);
  const std::vector<std::string> forgotten =
      rig.forget({.kinds = {Kind::gauge}, .match = "load.a"});
  REQUIRE(forgotten.size() == 1);
  CHECK(name_of_series_key(forgotten[0]) == "load.a");
  CHECK(remembered() == 0);
  CHECK(carried() == std::vector<std::string>{"load.b"});
  CHECK(rig.forget({.kinds = {Kind::gauge}, .match = "load.a"}).empty());
}

TEST_CASE("live view: a pattern with a ';' is one of name and tags") {
  Rig rig(std::chrono::hours(1));
  Client client(rig.port());
  client.send("api.hits:1|c|#env:prod\napi.hits:2|c|#env:test\napi.hits:3|c");
  rig.live_of(3);
  const std::vector<Looked> found =
      rig.look({.kinds = {Kind::counter}, .match = "*.hits;env=prod"});
  REQUIRE(found.size() == 1);
  CHECK(found[0].number == 1);
  CHECK(rig.look({.match = "api.hits"}).size() == 3);
  CHECK(rig.forget({.match = "api.hits;*"}).size() == 2);
  CHECK(rig.look({.match = "*"}).size() == 1);
}

TEST_CASE("live view: it is known when something last came in") {
  Rig rig(std::chrono::hours(1));
  CHECK_FALSE(rig.live().last_heard);
  Client client(rig.port());
  client.send("hits:1|c");
  const LiveState state = rig.live_of(1);
  REQUIRE(state.last_heard);
  CHECK(*state.last_heard <= state.now);
}

TEST_CASE("live view: a tap hears until it is untapped, also by its own callback") {
  Rig rig(std::chrono::hours(1));
  Client client(rig.port());
  std::vector<std::string> first, second;
  Insight::TapId second_id = 0;
  rig.view.tap([&](std::span<const Tapped> pieces, std::uint64_t skipped) {
    for (const Tapped& piece : pieces) first.emplace_back(piece.bytes);
    CHECK(skipped == 0);
  });
  second_id = rig.view.tap([&](std::span<const Tapped> pieces, std::uint64_t) {
    for (const Tapped& piece : pieces) second.emplace_back(piece.bytes);
    rig.view.untap(second_id);
  });
  rig.live();  // the order to tap was taken before this question
  client.send("a:1|c");
  while (first.empty()) rig.loop.turn();
  client.send("b:1|c");
  while (first.size() < 2) rig.loop.turn();
  CHECK(first == std::vector<std::string>{"a:1|c", "b:1|c"});
  CHECK(second == std::vector<std::string>{"a:1|c"});
}
