// The emulated servers answer in the words of the real ones, and hold what these would hold.

#include "fake_influx.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace tally::testing;

namespace {

HttpMessage post(const std::string& target, const std::string& body) {
  HttpMessage request;
  request.method = "POST";
  request.target = target;
  request.body = body;
  request.bytes_sent = body.size();
  request.is_whole = true;
  return request;
}

HttpMessage get(const std::string& target) {
  HttpMessage request = post(target, "");
  request.method = "GET";
  return request;
}

std::string header_of(const HttpReply& reply, const std::string& name) {
  for (const std::string& header : reply.headers)
    if (header.starts_with(name + ": ")) return header.substr(name.size() + 2);
  return "";
}

constexpr const char* write_1 = "/write?db=metric&precision=s";
constexpr const char* write_2 = "/api/v2/write?org=o&bucket=metric&precision=s";
constexpr const char* write_3 = "/api/v3/write_lp?db=metric&precision=second";
constexpr const char* write_0_8 = "/db/metric/series?u=root&p=root&time_precision=s";

constexpr const char* two_and_a_bad_one =
    "a v=1 1700000000\nbad.b v=2 1700000000\nc v=3 1700000000\n";

FakeInfluxRules refuses_bad() {
  FakeInfluxRules rules;
  rules.refuse = [](std::string_view line) {
    return line.starts_with("bad.") ? std::string("missing field value") : std::string();
  };
  return rules;
}

}  // namespace

TEST_CASE("fake_influx: each kind names itself, pings and knows its own write path") {
  struct Row {
    std::string name;
    ServerKind kind;
    const char* write;
    int ping;
    int written;
    const char* version;
  };
  const Row rows[] = {
      {"1.x", ServerKind::influx_1, write_1, 204, 204, "1.6.7~rc0"},
      {"2.x", ServerKind::influx_2, write_2, 204, 204, "v2.7.1"},
      {"3.x", ServerKind::influx_3, write_3, 200, 204, "3.9.6"},
      {"3.x by the API of 1.x", ServerKind::influx_3, write_1, 200, 204, "3.9.6"},
      {"VictoriaMetrics", ServerKind::victoria_metrics, write_1, 400, 204, "1.8.0"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    FakeInflux server(row.kind);
    CHECK(server.answer(get("/ping")).status == row.ping);
    const HttpReply reply = server.answer(post(row.write, "hits.count count=2 1700000000\n"));
    CHECK(reply.status == row.written);
    CHECK(header_of(reply, "X-Influxdb-Version") == row.version);
    CHECK(server.points().sum("hits.count") == 2);
  }
}

TEST_CASE("fake_influx: a path of another version is answered as that server does") {
  struct Row {
    std::string name;
    ServerKind kind;
    HttpMessage request;
    int status;
    const char* type;
    const char* body;
  };
  const Row rows[] = {
      {"0.8's path on 1.x", ServerKind::influx_1, post(write_0_8, "[]"), 404,
       "text/plain; charset=utf-8", "404 page not found\n"},
      {"2.x's path on 1.x", ServerKind::influx_1, post(write_2, ""), 404,
       "text/plain; charset=utf-8", "404 page not found\n"},
      {"GET on 1.x", ServerKind::influx_1, get(write_1), 405, "text/plain; charset=utf-8",
       "Method Not Allowed\n"},
      {"0.8's path on 2.x", ServerKind::influx_2, post(write_0_8, "[]"), 200,
       "text/html; charset=utf-8", "<!doctype html>"},
      {"1.x's path on 2.x", ServerKind::influx_2, post(write_1, ""), 404,
       "application/json; charset=utf-8", "{\"code\":\"not found\",\"message\":\"no dbrp"},
      {"nonsense below 2.x's path", ServerKind::influx_2, post("/api/v2/nope", ""), 404,
       "application/json; charset=utf-8", "{\"code\":\"not found\",\"message\":\"path not found"},
      {"0.8's path on 3.x", ServerKind::influx_3, post(write_0_8, "[]"), 404, "", "not found"},
      {"1.x's path on 0.8", ServerKind::influx_0_8, post(write_1, ""), 404,
       "text/plain; charset=utf-8", "404 page not found\n"},
      {"0.8's path on VictoriaMetrics", ServerKind::victoria_metrics, post(write_0_8, "[]"), 400,
       "text/plain; charset=utf-8", "unsupported path requested"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const HttpReply reply = FakeInflux(row.kind).answer(row.request);
    CHECK(reply.status == row.status);
    CHECK(reply.content_type == row.type);
    CHECK_MESSAGE(reply.body.starts_with(row.body), reply.body);
  }
}

TEST_CASE("fake_influx: a bad line among good ones") {
  struct Row {
    std::string name;
    ServerKind kind;
    const char* write;
    std::size_t stored;
    const char* body;
  };
  const Row rows[] = {
      {"1.x stores the rest", ServerKind::influx_1, write_1, 2,
       "{\"error\":\"partial write: unable to parse 'bad.b v=2 1700000000': missing field value "
       "dropped=0\"}\n"},
      {"2.x stores nothing", ServerKind::influx_2, write_2, 0,
       "{\"code\":\"invalid\",\"message\":\"unable to parse 'bad.b v=2 1700000000': missing field "
       "value\"}"},
      {"3.x stores the rest", ServerKind::influx_3, write_3, 2,
       "{\"error\":\"partial write of line protocol occurred\",\"data\":[{\"original_line\":"
       "\"bad.b v=2 1700000000\",\"line_number\":2,\"error_message\":\"missing field value\"}]}"},
      {"VictoriaMetrics stores nothing", ServerKind::victoria_metrics, write_1, 0,
       "cannot parse influx line \"bad.b v=2 1700000000\": missing field value\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    FakeInflux server(row.kind, refuses_bad());
    const HttpReply reply = server.answer(post(row.write, two_and_a_bad_one));
    CHECK(reply.status == 400);
    CHECK(reply.body == row.body);
    CHECK(server.points().points() == row.stored);
  }
  FakeInflux server(ServerKind::influx_1, refuses_bad());
  CHECK(server.answer(post(write_1, "bad.a v=1 1\nbad.b v=1 1\n")).body ==
        "{\"error\":\"unable to parse 'bad.a v=1 1': missing field value\\nunable to parse 'bad.b "
        "v=1 1': missing field value\"}\n");
  CHECK(server.answer(post(write_1, "no fields\n")).status == 400);
}

TEST_CASE("fake_influx: VictoriaMetrics skips bad lines in stream mode") {
  FakeInflux server(ServerKind::victoria_metrics, refuses_bad());
  HttpMessage request = post(write_1, two_and_a_bad_one);
  request.headers["stream-mode"] = "1";
  CHECK(server.answer(request).status == 204);
  CHECK(server.points().points() == 2);
}

TEST_CASE("fake_influx: the same point twice") {
  struct Row {
    std::string name;
    ServerKind kind;
    const char* write;
    double sum;
    std::size_t doubled;
  };
  const Row rows[] = {
      {"1.x", ServerKind::influx_1, write_1, 9, 0},
      {"2.x", ServerKind::influx_2, write_2, 9, 0},
      {"3.x", ServerKind::influx_3, write_3, 9, 0},
      {"VictoriaMetrics", ServerKind::victoria_metrics, write_1, 2 + 2 + 9, 2},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    FakeInflux server(row.kind);
    server.answer(post(row.write, "h,b=2,a=1 count=2 1700000000\n"));
    server.answer(post(row.write, "h,a=1,b=2 count=2 1700000000\n"));  // the same series
    const bool merges = row.kind != ServerKind::victoria_metrics;
    CHECK(server.points().resent() == (merges ? 1 : 0));
    server.answer(post(row.write, "h,a=1,b=2 count=9,rate=1 1700000000\n"));
    CHECK(server.points().overwritten() == (merges ? 1 : 0));
    CHECK(server.points().sum("h") == row.sum);
    CHECK(server.points().sum("h", "count", {"a", "1"}) == row.sum);
    CHECK(server.points().sum("h", "count", {"a", "2"}) == 0);
    CHECK(server.points().doubled() == row.doubled);
    CHECK(server.points().series() == 1);
  }
}

TEST_CASE(
    "fake_influx: 0.8 overwrites a point by its sequence number, and doubles it without one") {
  FakeInflux server(ServerKind::influx_0_8);
  const std::string with =
      R"([{"name":"h.count","columns":["time","sequence_number","count"],"points":[[1700000000,1,2.0]]}])";
  for (int i = 0; i < 2; ++i) {
    const HttpReply reply = server.answer(post(write_0_8, with));
    CHECK(reply.status == 200);
    CHECK(reply.body.empty());
    CHECK(header_of(reply, "X-Influxdb-Version").starts_with("InfluxDB v0.8.8"));
  }
  CHECK(server.points().sum("h.count") == 2);
  CHECK(server.points().doubled() == 0);
  CHECK(server.integers() == 0);
  const std::string without =
      R"([{"name":"w","columns":["time","count"],"points":[[1700000000,2]]}])";
  server.answer(post(write_0_8, without));
  server.answer(post(write_0_8, without));
  CHECK(server.points().sum("w") == 4);
  CHECK(server.points().doubled() == 1);
  CHECK(server.integers() == 2);
}

TEST_CASE("fake_influx: 0.8 takes all of a body or nothing, and creates databases") {
  FakeInflux server(ServerKind::influx_0_8);
  const std::string wrong =
      R"([{"name":"a","columns":["time","v"],"points":[[1,2.0]]},{"name":"b","columns":["time","v"],"points":[[1]]}])";
  CHECK(server.answer(post(write_0_8, wrong)).body == "invalid payload\n");
  CHECK(server.points().points() == 0);
  const char* other = "/db/new/series";
  CHECK(server.answer(post(other, "[]")).body == "Database new doesn't exist\n");
  CHECK(server.answer(post("/db?u=root&p=root", R"({"name":"new"})")).status == 201);
  CHECK(server.answer(post(other, "[]")).status == 200);
  CHECK(server.answer(get("/ping")).body == R"({"status":"ok"})");
}

TEST_CASE("fake_influx: a missing database") {
  FakeInflux one(ServerKind::influx_1);
  CHECK(one.answer(post("/write?db=x", "")).body ==
        "{\"error\":\"database not found: \\\"x\\\"\"}\n");
  CHECK(one.answer(post("/write", "")).status == 400);
  CHECK(one.answer(post("/query", "q=CREATE%20DATABASE%20%22x%22")).status == 200);
  CHECK(one.answer(post("/write?db=x", "")).status == 204);
  FakeInflux two(ServerKind::influx_2);
  CHECK(two.answer(post("/api/v2/write?bucket=x", "")).status == 404);
  FakeInflux three(ServerKind::influx_3);
  CHECK(three.answer(post("/api/v3/write_lp?db=x", "")).status == 204);
  CHECK(three.rules().databases.count("x") == 1);
}

TEST_CASE("fake_influx: a field of another type and a point too old cost only themselves") {
  for (const ServerKind kind : {ServerKind::influx_1, ServerKind::influx_2, ServerKind::influx_3}) {
    const char* write = kind == ServerKind::influx_1   ? write_1
                        : kind == ServerKind::influx_2 ? write_2
                                                       : write_3;
    FakeInflux server(kind);
    server.rules().field_types = {{{"b", "v"}, "integer"}};
    server.rules().oldest_ns = 1'600'000'000'000'000'000;
    const HttpReply conflict = server.answer(post(write, "a v=1 1700000000\nb v=1 1700000000\n"));
    CHECK(conflict.status == (kind == ServerKind::influx_2 ? 422 : 400));
    CHECK(conflict.body.find("field type conflict: input field") != std::string::npos);
    const HttpReply old = server.answer(post(write, "a v=1 1500000000\nc v=1 1700000000\n"));
    CHECK(old.body.find("points beyond retention policy") != std::string::npos);
    CHECK(server.points().points() == 2);
    if (kind == ServerKind::influx_3) continue;
    CHECK(conflict.body.find("dropped=1") != std::string::npos);
    CHECK(old.body.find("dropped=1") != std::string::npos);
  }
}

TEST_CASE("fake_influx: beyond the series limit known series suffer too, as in the trials") {
  const auto line = [](const char* name, int i) {
    return std::string(name) + ",i=" + std::to_string(i) + " v=1 17000000";
  };
  const auto run = [&](std::vector<std::string> order) {
    FakeInflux server(ServerKind::influx_1);
    server.rules().series_max = 100;
    std::string known;
    for (int i = 0; i < 90; ++i) known += line("known", i) + "00\n";
    REQUIRE(server.answer(post(write_1, known)).status == 204);
    std::string batch;
    for (const std::string& text : order) batch += text + "01\n";
    const HttpReply reply = server.answer(post(write_1, batch));
    CHECK(reply.body ==
          "{\"error\":\"partial write: max-series-per-database limit exceeded: (100) "
          "dropped=50\"}\n");
    const std::size_t stored = server.points().points() - 90;
    std::string again;
    for (int i = 0; i < 90; ++i) again += line("known", i) + "01\n";
    CHECK(server.answer(post(write_1, again)).status == 204);
    CHECK(server.points().points() == 180);
    return stored;
  };
  std::vector<std::string> order;
  for (int i = 0; i < 90; ++i) order.push_back(line("known", i));
  for (int i = 0; i < 50; ++i) order.push_back(line("new", i));
  CHECK(run(order) == 40);
  std::vector<std::string> mixed = order;
  std::minstd_rand random(4);
  std::shuffle(mixed.begin(), mixed.end(), random);
  const std::size_t stored = run(mixed);
  CHECK(stored >= 48);
  CHECK(stored <= 68);
  std::reverse(order.begin(), order.end());
  CHECK(run(order) == 90);
}

TEST_CASE("fake_influx: limits, credentials and lines that break a server") {
  FakeInfluxRules rules;
  rules.body_bytes_max = 30;
  rules.user = "root";
  rules.password = "secret";
  rules.breaks = [](std::string_view line) { return line.starts_with("panic"); };
  FakeInflux server(ServerKind::influx_1, rules);
  HttpMessage request = post(write_1, "a v=1 1\n");
  CHECK(server.answer(request).body ==
        "{\"error\":\"unable to parse authentication credentials\"}\n");
  request.headers["authorization"] = basic_credentials("root", "wrong");
  CHECK(server.answer(request).body == "{\"error\":\"authorization failed\"}\n");
  request.headers["authorization"] = "Basic cm9vdDpzZWNyZXQ=";
  CHECK(server.answer(request).status == 204);
  server.rules().may_write = false;
  CHECK(server.answer(request).status == 403);
  server.rules().may_write = true;
  request.body = "a v=1 2\npanic v=1 1\n";
  CHECK(server.answer(request).body == "Internal Server Error\n");
  request.bytes_sent = 31;
  CHECK(server.answer(request).status == 413);
  CHECK(server.points().points() == 1);

  FakeInfluxRules with_token;
  with_token.token = "t";
  for (const ServerKind kind : {ServerKind::influx_2, ServerKind::influx_3}) {
    FakeInflux other(kind, with_token);
    HttpMessage write = post(kind == ServerKind::influx_2 ? write_2 : write_3, "a v=1 1\n");
    CHECK(other.answer(write).status == 401);
    write.headers["authorization"] = "Token t";
    CHECK(other.answer(write).status == 204);
  }
}

TEST_CASE("fake_influx: 3.x takes no table beyond its limit and no byte that is not UTF-8") {
  FakeInflux server(ServerKind::influx_3);
  server.rules().series_max = 2;
  CHECK(server.answer(post(write_3, "a v=1 1\nb,x=1 v=1 1\n")).status == 204);
  CHECK(server.answer(post(write_3, "b,x=2 v=1 1\nc v=1 1\n")).status == 422);
  CHECK(server.answer(post(write_3, "b,x=2 v=1 1\n")).status == 204);
  CHECK(server.answer(post(write_3, "b v=1 1\nb\xff v=1 1\n")).status == 400);
  CHECK(server.points().points() == 3);
}

TEST_CASE("fake_influx: a stamp means what the server takes the precision for") {
  struct Row {
    std::string name;
    ServerKind kind;
    const char* target;
    const char* stamp;
    bool is_known;  ///< as 2023-11-14T22:13:20Z
  };
  const Row rows[] = {
      {"1.x s", ServerKind::influx_1, "/write?db=metric&precision=s", "1700000000", true},
      {"1.x ms", ServerKind::influx_1, "/write?db=metric&precision=ms", "1700000000000", true},
      {"1.x us is ns", ServerKind::influx_1, "/write?db=metric&precision=us", "1700000000000000",
       false},
      {"2.x us", ServerKind::influx_2, "/api/v2/write?bucket=metric&precision=us",
       "1700000000000000", true},
      {"3.x guesses", ServerKind::influx_3, "/api/v3/write_lp?db=metric", "1700000000000", true},
      {"VictoriaMetrics guesses", ServerKind::victoria_metrics, "/write", "1700000000000000000",
       true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    FakeInflux server(row.kind);
    CHECK(server.answer(post(row.target, "a v=1 " + std::string(row.stamp) + "\n")).status == 204);
    CHECK((server.points().stamps() == std::set<std::int64_t>{1'700'000'000'000'000'000}) ==
          row.is_known);
  }
  FakeInflux two(ServerKind::influx_2);
  CHECK(two.answer(post("/api/v2/write?bucket=metric&precision=u", "a v=1 1\n")).status == 400);
  FakeInflux one(ServerKind::influx_1);
  CHECK(one.answer(post(write_1, "a v=1 1700000000000000000\n")).body.find("time outside range") !=
        std::string::npos);
}
