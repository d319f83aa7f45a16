#include "deliver/influx_server.hpp"

#include <doctest/doctest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "fake_server.hpp"

using namespace tally;
using tally::test::FakeReply;
using tally::test::FakeRequest;
using tally::test::FakeServer;
using tally::test::reply;
using tally::test::run_until;

namespace {

FakeReply version(int status, const std::string& name, const std::string& body = "") {
  return reply(status, body, "X-Influxdb-Version: " + name + "\r\n");
}

bool is_write(const FakeRequest& request) {
  return request.method == "POST";
}

/// A loop, a scripted server, and what we know of it.
class Rig {
 public:
  explicit Rig(FakeServer::Script script) : server(loop, std::move(script)) {
    server.listen();
    settings.destination.url = server.url();
  }

  InfluxServer& start() { return influx.emplace(loop, settings, log); }
  /// REQUIREs an answer.
  WriteAnswer write() {
    std::optional<WriteAnswer> answer;
    influx->write(payload, [&](const WriteAnswer& came) { answer = came; });
    REQUIRE(run_until(loop, [&] { return answer.has_value(); }));
    return *answer;
  }

  uv::Loop loop;
  FakeServer server;
  ServerSettings settings{.destination = {.database = "metric"}, .credentials = {}, .gzip = false};
  Payload payload{.body = "hits.count count=1 1700000000\n", .points = 1};
  std::ostringstream text;
  std::optional<InfluxServer> influx;

 private:
  spdlog::logger logger{"test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)};
  DeliveryLog log{logger, "http://db"};
};

}  // namespace

TEST_CASE("influx server: of two writes each is judged by the API that it was made for") {
  int writes = 0;
  Rig rig([&](const FakeRequest& request) {
    if (!is_write(request)) return version(200, "v0.8.8", R"({"status":"ok"})");
    // The second is answered by another server behind the same address, as in an upgrade.
    return ++writes == 2 ? version(404, "1.6.7", "404 page not found\n") : version(200, "v0.8.8");
  });
  InfluxServer& influx = rig.start();
  CHECK(rig.write().verdict.action == Action::written);
  std::vector<WriteAnswer> answers;
  std::vector<bool> at_once;
  for (int i = 0; i < 2; ++i) {
    influx.write(rig.payload, [&](const WriteAnswer& answer) {
      answers.push_back(answer);
      if (answer.verdict.api_in_doubt) at_once.push_back(influx.doubt_api(answer));
    });
  }
  REQUIRE(run_until(rig.loop, [&] { return answers.size() == 2; }));
  CHECK(answers[0].verdict.action == Action::keep);
  CHECK(answers[0].api == Api::v0_8);
  CHECK(at_once == std::vector<bool>{true});
  CHECK(answers[1].verdict.action == Action::written);  // 1.x would have said 204
  CHECK(answers[1].api == Api::v0_8);
}

TEST_CASE(
    "influx server: what was sent before another answer changed the API is sent anew at once") {
  bool is_new = false;
  Rig rig([&](const FakeRequest& request) {
    if (!is_write(request)) return version(204, "1.8.10");
    if (!is_new) return reply(204);
    return request.target.starts_with("/api/v2/") ? reply(204) : version(404, "v2.7.1", "no page");
  });
  InfluxServer& influx = rig.start();
  CHECK(rig.write().verdict.action == Action::written);
  is_new = true;
  std::vector<bool> at_once;
  for (int i = 0; i < 2; ++i) {
    influx.write(rig.payload, [&](const WriteAnswer& answer) {
      CHECK(answer.verdict.api_in_doubt);
      at_once.push_back(influx.doubt_api(answer));
    });
  }
  REQUIRE(run_until(rig.loop, [&] { return at_once.size() == 2; }));
  CHECK(at_once == std::vector<bool>{true, true});
  CHECK(rig.write().verdict.action == Action::written);
  CHECK(rig.text.str().find("is InfluxDB \"v2.7.1\"") == rig.text.str().rfind("is InfluxDB"));
}

TEST_CASE("influx server: two that send us from one to the other do not get a storm") {
  Rig rig([](const FakeRequest& request) {
    if (!is_write(request)) return version(204, "1.8.10");
    return request.target.starts_with("/api/v2/") ? version(404, "1.8.10", "no page")
                                                  : version(404, "v2.7.1", "no page");
  });
  InfluxServer& influx = rig.start();
  CHECK(influx.doubt_api(rig.write()));
  CHECK_FALSE(influx.doubt_api(rig.write()));
  CHECK_FALSE(influx.doubt_api(rig.write()));
}

TEST_CASE("influx server: a write begun before the database was created says nothing of that") {
  bool exists = false;
  std::size_t writes = 0;
  Rig rig([&](const FakeRequest& request) {
    if (request.target != "/query") {
      ++writes;
      return exists ? reply(204)
                    : version(404, "1.6.7", R"({"error":"database not found: \"metric\""})");
    }
    return reply(200, R"({"results":[{"statement_id":0}]})");
  });
  rig.settings.destination.api_is_fixed = true;
  InfluxServer& influx = rig.start();
  std::vector<Action> actions;
  const auto note = [&](const WriteAnswer& answer) {
    actions.push_back(answer.verdict.action);
    if (actions.size() > 1) return;
    CHECK(influx.create_database(
        [](const Verdict& made, const Response&) { CHECK(made.action == Action::written); }));
  };
  influx.write(rig.payload, note);
  influx.write(rig.payload, note);
  REQUIRE(run_until(rig.loop, [&] { return actions.size() == 2 && !influx.is_asking(); }));
  CHECK(actions == std::vector<Action>(2, Action::create_database));
  CHECK(rig.write().verdict.action == Action::keep);  // this one does: it is not there all the same
  exists = true;
  CHECK(rig.write().verdict.action == Action::written);
}
