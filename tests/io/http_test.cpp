#include "deliver/http.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fake_server.hpp"

using namespace std::chrono_literals;
using tally::Http;
using tally::HttpRequest;
using tally::HttpSettings;
using tally::NoAnswer;
using tally::Response;
using tally::test::cut;
using tally::test::FakeReply;
using tally::test::FakeRequest;
using tally::test::FakeServer;
using tally::test::mute;
using tally::test::reply;
using tally::test::run_until;
using tally::uv::Loop;

namespace {

FakeServer::Script always(FakeReply answer) {
  return [answer = std::move(answer)](const FakeRequest&) { return answer; };
}

/// Sends and waits for the answer.
Response ask(Loop& loop, Http& http, HttpRequest request) {
  std::optional<Response> answer;
  http.send(std::move(request), [&](Response response) { answer = std::move(response); });
  CHECK_FALSE(answer);
  REQUIRE(run_until(loop, [&] { return answer.has_value(); }));
  return *answer;
}

/// One request to a server that answers so.
Response ask_once(FakeReply answer, HttpSettings settings = {}) {
  Loop loop;
  FakeServer server(loop, always(std::move(answer)));
  server.listen();
  Http http(loop, std::move(settings));
  return ask(loop, http, {.url = server.url() + "/write", .body = "m v=1\n"});
}

/// Sets a variable of the environment while it lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("http: a POST arrives as it was given") {
  Loop loop;
  FakeServer server(loop, always(reply(204)));
  server.listen();
  Http http(loop, {});
  const std::string body("line\0one\n\xFF", 10);
  const Response response = ask(loop, http,
                                {.url = server.url() + "/write?db=a%20b",
                                 .body = body,
                                 .headers = {"Content-Type: text/plain"}});
  CHECK(response.status == 204);
  CHECK(response.transport_error == "");
  REQUIRE(server.requests().size() == 1);
  const FakeRequest& request = server.requests()[0];
  CHECK(request.method == "POST");
  CHECK(request.target == "/write?db=a%20b");
  CHECK(request.body == body);
  CHECK(request.headers.at("content-type") == "text/plain");
  CHECK(request.headers.count("expect") == 0);
}

TEST_CASE("http: a GET has no body, and a request may ask for a connection of its own") {
  Loop loop;
  FakeServer server(loop, always(reply(204)));
  server.listen();
  Http http(loop, {});
  for (const bool keeps : {true, true, false, true}) {
    CHECK(ask(loop, http,
              {.method = tally::HttpRequest::Method::get,
               .url = server.url() + "/ping",
               .keeps_connection = keeps})
              .status == 204);
  }
  CHECK(server.requests()[0].method == "GET");
  CHECK(server.requests()[0].body == "");
  std::vector<int> connections;
  for (const FakeRequest& request : server.requests()) connections.push_back(request.connection);
  CHECK(connections == std::vector<int>{0, 0, 1, 0});
}

TEST_CASE("http: a large body is sent without asking first") {
  Loop loop;
  FakeServer server(loop, always(reply(204)));
  server.listen();
  Http http(loop, {});
  const std::string body(5 << 20, 'x');
  CHECK(ask(loop, http, {.url = server.url(), .body = body}).status == 204);
  CHECK(server.requests()[0].body == body);
  CHECK(server.requests()[0].headers.count("expect") == 0);
  CHECK(server.requests()[0].headers.count("authorization") == 0);
}

TEST_CASE("http: the headers that judge reads are found in any case") {
  const Response response = ask_once(reply(404, "404 page not found\n",
                                           "content-type: text/plain; charset=utf-8\r\n"
                                           "X-INFLUXDB-VERSION:   1.6.7~rc0  \r\n"
                                           "X-Influxdb-Error: a: b\r\n"
                                           "Location: http://elsewhere/\r\n"
                                           "Retry-After: 7\r\n"
                                           "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
  CHECK(response.status == 404);
  CHECK(response.content_type == "text/plain; charset=utf-8");
  CHECK(response.influxdb_version == "1.6.7~rc0");
  CHECK(response.influxdb_error == "a: b");
  CHECK(response.location == "http://elsewhere/");
  CHECK(response.retry_after == "7");
  CHECK(response.date == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(response.body == "404 page not found\n");
}

TEST_CASE("http: a 1xx before the answer is not the answer") {
  const Response response =
      ask_once({.bytes = "HTTP/1.1 103 Early Hints\r\nX-Influxdb-Version: 9\r\n\r\n" +
                         reply(204, "", "X-Influxdb-Error: real\r\n").bytes});
  CHECK(response.status == 204);
  CHECK(response.influxdb_version == "");
  CHECK(response.influxdb_error == "real");
}

TEST_CASE("http: the environment's proxy is not obeyed") {
  Loop loop;
  FakeServer server(loop, always(reply(204)));
  FakeServer proxy(loop, always(reply(204)));
  server.listen();
  proxy.listen();
  const Environment lower("http_proxy", proxy.url());
  const Environment upper("HTTP_PROXY", proxy.url());
  const Environment all("ALL_PROXY", proxy.url());
  Http http(loop, {});
  CHECK(ask(loop, http, {.url = server.url() + "/write"}).status == 204);
  CHECK(server.requests().size() == 1);
  CHECK(proxy.connections() == 0);
}

TEST_CASE("http: the configured proxy is used, whatever the environment says") {
  Loop loop;
  FakeServer server(loop, always(reply(204)));
  FakeServer proxy(loop, always(reply(503)));
  server.listen();
  proxy.listen();
  const Environment none("no_proxy", "*");
  Http http(loop, {.proxy = proxy.url()});
  CHECK(ask(loop, http, {.url = server.url() + "/write"}).status == 503);
  CHECK(server.connections() == 0);
  REQUIRE(proxy.requests().size() == 1);
  CHECK(proxy.requests()[0].target == server.url() + "/write");
}

TEST_CASE("http: a redirect is not followed") {
  Loop loop;
  FakeServer elsewhere(loop, always(reply(204)));
  FakeServer server(loop, always(reply(307, "", "Location: " + elsewhere.url() + "/\r\n")));
  elsewhere.listen();
  server.listen();
  Http http(loop, {});
  const Response response = ask(loop, http, {.url = server.url()});
  CHECK(response.status == 307);
  CHECK(response.location == elsewhere.url() + "/");
  CHECK(elsewhere.connections() == 0);
}

TEST_CASE("http: of a body without end 64 KiB are taken, and its status counts") {
  struct Row {
    const char* name;
    std::size_t bytes;
    std::size_t taken;
  };
  const std::size_t most = HttpSettings().body_bytes_max;
  for (const Row& row : {Row{"just fits", most, most}, Row{"one more", most + 1, most},
                         Row{"16 MiB", 16 << 20, most}}) {
    CAPTURE(row.name);
    const Response response = ask_once(reply(500, std::string(row.bytes, 'e')));
    CHECK(response.status == 500);
    CHECK(response.transport_error == "");
    CHECK(response.body == std::string(row.taken, 'e'));
  }
}

TEST_CASE("http: of headers without end 32 KiB are taken, and the status counts") {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "X-Filler: " + std::string(1000, 'f') + "\r\n";
  const Response cut_off = ask_once(
      reply(400, "body", "X-Influxdb-Version: 1.8.10\r\n" + many + "X-Influxdb-Error: late\r\n"));
  CHECK(cut_off.status == 400);
  CHECK(cut_off.transport_error == "");
  CHECK(cut_off.influxdb_version == "1.8.10");
  CHECK(cut_off.influxdb_error == "");

  const Response one_long =
      ask_once(reply(400, "body", "X-Influxdb-Error: " + std::string(40'000, 'e') + "\r\n"));
  CHECK(one_long.status == 400);
  CHECK(one_long.influxdb_error.size() > 30'000);
  CHECK(one_long.influxdb_error.size() <= Http::headers_bytes_max);
}

TEST_CASE("http: a single header larger than libcurl takes does not hide the status") {
  const Response response =
      ask_once(reply(400, "body", "X-Influxdb-Error: " + std::string(200'000, 'e') + "\r\n"));
  CHECK(response.status == 400);
  CHECK(response.transport_error == "");
}

TEST_CASE("http: a mute server times out") {
  const Response response = ask_once(mute(), {.timeout = 50ms});
  CHECK(response.no_answer == NoAnswer::timed_out);
  CHECK(response.transport_error == "timed out after 50 ms");
}

TEST_CASE("http: an answer that stops in the middle times out") {
  const Response response =
      ask_once({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"}, {.timeout = 50ms});
  CHECK(response.no_answer == NoAnswer::timed_out);
  CHECK(response.transport_error != "");
}

TEST_CASE("http: a port where nothing listens refuses") {
  Loop loop;
  FakeServer server(loop, always(reply(204)));
  Http http(loop, {});
  const Response response = ask(loop, http, {.url = server.url()});
  CHECK(response.status == 0);
  CHECK(response.no_answer == NoAnswer::unreachable);
  CHECK(response.transport_error == "connection refused");
}

TEST_CASE("http: what is not a whole answer is none") {
  struct Row {
    const char* name;
    std::string bytes;
  };
  const std::vector<Row> rows{
      {"closed at once", ""},
      {"half a status line", "HTTP/1.1 20"},
      {"a status line alone", "HTTP/1.1 204 No Content\r\n"},
      {"headers without their end", "HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.6.7\r\n"},
      {"half a header", "HTTP/1.1 204 No Content\r\nX-Influ"},
      {"a body too short", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"},
      {"a chunk too short", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc"},
      {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n"},
      {"HTTP/0.9", "<html>hello</html>"},
      {"a 1xx alone", "HTTP/1.1 100 Continue\r\n\r\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Response response = ask_once(cut(row.bytes));
    CHECK(response.transport_error != "");
    CHECK(response.no_answer == NoAnswer::broken);
  }
}

TEST_CASE("http: a certificate bundle that is not there is named") {
  Loop loop;
  FakeServer server(loop, always(reply(204)));
  server.listen();
  Http http(loop, {.ca_file = "/nonexistent/ca.pem"});
  std::string url = server.url();
  url.replace(0, 4, "https");
  const Response response = ask(loop, http, {.url = url});
  CHECK(response.no_answer == NoAnswer::tls);
  CHECK(response.transport_error.find("/nonexistent/ca.pem") != std::string::npos);
}

TEST_CASE("http: other protocols than http and https are refused") {
  Loop loop;
  Http http(loop, {});
  const Response response = ask(loop, http, {.url = "file:///etc/hostname"});
  CHECK(response.transport_error != "");
  CHECK(response.body == "");
}

TEST_CASE("http: a connection is used again, and replaced when the server has closed it") {
  Loop loop;
  int answers = 0;
  FakeServer server(loop, [&](const FakeRequest&) {
    FakeReply answer = reply(204);
    if (++answers == 3) answer.then = FakeReply::Then::close;
    return answer;
  });
  server.listen();
  Http http(loop, {});
  for (int i = 0; i < 3; ++i) CHECK(ask(loop, http, {.url = server.url()}).status == 204);
  CHECK(server.connections() == 1);
  CHECK(ask(loop, http, {.url = server.url()}).status == 204);
  CHECK(server.connections() == 2);
}

TEST_CASE("http: several requests at once are each answered once") {
  Loop loop;
  FakeServer server(loop, [](const FakeRequest& request) { return reply(200, request.body); });
  server.listen();
  Http http(loop, {});
  std::vector<std::string> bodies;
  for (int i = 0; i < 10; ++i) {
    http.send({.url = server.url(), .body = std::to_string(i)}, [&, i](const Response& response) {
      CHECK(response.body == std::to_string(i));
      bodies.push_back(response.body);
    });
  }
  REQUIRE(run_until(loop, [&] { return bodies.size() == 10; }));
  CHECK(server.requests().size() == 10);
}

TEST_CASE("http: the next request may be sent from the answer of the last") {
  Loop loop;
  FakeServer server(loop, always(reply(204)));
  server.listen();
  Http http(loop, {});
  int answered = 0;
  std::function<void(Response)> again = [&](const Response&) {
    if (++answered < 5) http.send({.url = server.url()}, again);
  };
  http.send({.url = server.url()}, again);
  REQUIRE(run_until(loop, [&] { return answered == 5; }));
  CHECK(server.connections() == 1);
}

TEST_CASE("http: destroyed or cancelled in flight, it calls no one") {
  struct Row {
    const char* name;
    std::function<void(std::unique_ptr<Http>&)> end;
  };
  const std::vector<Row> rows{
      {"destroyed", [](auto& http) { http.reset(); }},
      {"cancelled", [](auto& http) { http->cancel(); }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Loop loop;
    FakeServer server(loop, always(mute()));
    server.listen();
    auto http = std::make_unique<Http>(loop, HttpSettings{});
    int called = 0;
    for (int i = 0; i < 2; ++i)
      http->send({.url = server.url()}, [&](const Response&) { ++called; });
    REQUIRE(run_until(loop, [&] { return server.requests().size() == 2; }));
    row.end(http);
    for (int i = 0; i < 5; ++i) loop.turn();
    CHECK(called == 0);
  }
}

TEST_CASE("http: destroyed before the first turn of the loop, it calls no one") {
  Loop loop;
  FakeServer server(loop, always(reply(204)));
  server.listen();
  int called = 0;
  {
    Http http(loop, {});
    http.send({.url = server.url()}, [&](const Response&) { ++called; });
  }
  for (int i = 0; i < 5; ++i) loop.turn();
  CHECK(called == 0);
}

TEST_CASE("http: it may be destroyed by an answer, and the other answers do not come") {
  Loop loop;
  FakeServer server(loop, always(reply(204)));
  server.listen();
  auto http = std::make_unique<Http>(loop, HttpSettings{});
  int called = 0;
  for (int i = 0; i < 4; ++i) {
    http->send({.url = server.url()}, [&](const Response&) {
      ++called;
      http.reset();
    });
  }
  REQUIRE(run_until(loop, [&] { return called > 0; }));
  for (int i = 0; i < 5; ++i) loop.turn();
  CHECK(called == 1);
}

TEST_CASE("http: between requests it keeps no loop alive") {
  Loop loop;
  Http http(loop, {});
  {
    FakeServer server(loop, always(reply(204)));
    server.listen();
    CHECK(ask(loop, http, {.url = server.url()}).status == 204);
  }
  loop.run();  // would wait for a timer of an hour as well
  CHECK_FALSE(loop.turn());
}

TEST_CASE("http: a stream is given piece by piece, for longer than the time-out, to its end") {
  Loop loop;
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
  FakeServer server(loop, always({.bytes = head + "first"}));
  server.listen();
  Http http(loop, {.timeout = 1s, .body_bytes_max = 1});  // a busy machine connects within it
  std::string heard;
  std::optional<Response> answer;
  bool is_late = false;
  tally::uv::Timer late(loop, [&] { is_late = true; });
  http.send({.method = HttpRequest::Method::get,
             .url = server.url(),
             .on_body =
                 [&](std::string_view piece) {
                   heard += piece;
                   late.start(1500ms);
                   return true;
                 }},
            [&](Response response) { answer = std::move(response); });
  REQUIRE(run_until(loop, [&] { return is_late && heard == "first"; }));
  CHECK_FALSE(answer);
  server.hang_up();
  REQUIRE(run_until(loop, [&] { return answer.has_value(); }));
  CHECK(answer->status == 200);
  CHECK(answer->transport_error == "");
  CHECK(answer->body == "");
}

TEST_CASE("http: a stream ends when its reader has had enough") {
  Loop loop;
  FakeServer server(loop, always({.bytes = "HTTP/1.1 200 OK\r\n\r\nfirst"}));
  server.listen();
  Http http(loop, {});
  const Response answer = ask(loop, http,
                              {.method = HttpRequest::Method::get,
                               .url = server.url(),
                               .on_body = [](std::string_view) { return false; }});
  CHECK(answer.status == 200);
  CHECK(answer.transport_error == "");
}

TEST_CASE("http: what an error says is its body, also where a stream was asked for") {
  Loop loop;
  FakeServer server(loop, always(reply(503, "busy")));
  server.listen();
  Http http(loop, {});
  bool is_called = false;
  const Response answer = ask(loop, http,
                              {.method = HttpRequest::Method::get,
                               .url = server.url(),
                               .on_body = [&](std::string_view) { return is_called = true; }});
  CHECK(answer.status == 503);
  CHECK(answer.body == "busy");
  CHECK_FALSE(is_called);
}
