#include "http/access.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace tally::http;

namespace {

const AccessRules named{.hosts = {"tally.example"}, .token = ""};

struct Row {
  const char* name;
  Request request;
  unsigned status;  // 200: may have it
};

unsigned status_of(const Request& request, const AccessRules& rules, const Door& door = {}) {
  const auto refusal = refusal_of(request, rules, door);
  return refusal ? refusal->status : 200;
}

Request get(std::vector<Field> headers) {
  return {.method = "GET", .path = "/", .headers = std::move(headers)};
}

}  // namespace

TEST_CASE("access: Host is an IP address, localhost or a name of http.hosts, and nothing else") {
  const Row rows[] = {
      {"IPv4", get({{"Host", "127.0.0.1:8127"}}), 200},
      {"IPv4 of a pod, without a port", get({{"Host", "10.1.2.3"}}), 200},
      {"IPv6", get({{"Host", "[::1]:8127"}}), 200},
      {"IPv6 without a port", get({{"Host", "[fd00::1]"}}), 200},
      {"localhost", get({{"Host", "localhost:8127"}}), 200},
      {"in any case", get({{"host", "LocalHost"}}), 200},
      {"listed", get({{"Host", "Tally.Example:443"}}), 200},
      {"none, as HTTP/1.0 may", get({}), 200},
      {"another name", get({{"Host", "evil.example:8127"}}), 421},
      {"empty", get({{"Host", ""}}), 421},
      {"a name that begins like ours", get({{"Host", "tally.example.evil.example"}}), 421},
      {"a name that ends like ours", get({{"Host", "eviltally.example"}}), 421},
      {"a name that begins like localhost", get({{"Host", "localhost.evil.example"}}), 421},
      {"a name that begins like an address", get({{"Host", "127.0.0.1.evil.example"}}), 421},
      {"an address in other clothes", get({{"Host", "2130706433"}}), 421},
      {"and in others", get({{"Host", "0x7f.1"}}), 421},
      {"a network", get({{"Host", "127.0.0.0/8"}}), 421},
      {"brackets without end", get({{"Host", "[::1"}}), 421},
      {"a user in front", get({{"Host", "127.0.0.1@evil.example"}}), 421},
      {"two of them", get({{"Host", "127.0.0.1"}, {"host", "127.0.0.1"}}), 400},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(status_of(row.request, named) == row.status);
  }
}

TEST_CASE("access: a page of another site gets nothing, but a link leads to us") {
  const Field host{"Host", "localhost:8127"};
  const Row rows[] = {
      {"own page", get({host, {"Origin", "http://localhost:8127"}}), 200},
      {"own page behind a proxy with TLS", get({host, {"Origin", "https://tally.example"}}), 200},
      {"another site", get({host, {"Origin", "http://evil.example"}}), 403},
      {"another port of this host", get({host, {"Origin", "http://localhost:3000"}}), 403},
      {"a sandbox or a file", get({host, {"Origin", "null"}}), 403},
      {"empty", get({host, {"Origin", ""}}), 403},
      {"no scheme", get({host, {"Origin", "localhost:8127"}}), 403},
      {"nothing behind the scheme", get({host, {"Origin", "http://"}}), 403},
      {"Origin and no Host", get({{"Origin", "http://"}}), 403},
      {"own script", get({host, {"Sec-Fetch-Site", "same-origin"}}), 200},
      {"typed in", get({host, {"Sec-Fetch-Site", "none"}}), 200},
      {"an image on another site", get({host, {"Sec-Fetch-Site", "cross-site"}}), 403},
      {"another port's", get({host, {"Sec-Fetch-Site", "same-site"}}), 403},
      {"what browsers may invent", get({host, {"Sec-Fetch-Site", "other"}}), 403},
      {"a link on another site",
       get({host,
            {"Sec-Fetch-Site", "cross-site"},
            {"Sec-Fetch-Mode", "navigate"},
            {"Sec-Fetch-Dest", "document"}}),
       200},
      {"a frame on another site",
       get({host,
            {"Sec-Fetch-Site", "cross-site"},
            {"Sec-Fetch-Mode", "navigate"},
            {"Sec-Fetch-Dest", "iframe"}}),
       403},
      {"a link, but with a foreign Origin",
       get({host,
            {"Origin", "http://evil.example"},
            {"Sec-Fetch-Site", "cross-site"},
            {"Sec-Fetch-Mode", "navigate"},
            {"Sec-Fetch-Dest", "document"}}),
       403},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(status_of(row.request, named) == row.status);
  }
}

TEST_CASE("access: with a token only who sends it gets in, except where none is needed") {
  const AccessRules rules{.hosts = {}, .token = "s3cret"};
  const Row rows[] = {
      {"none", get({}), 401},
      {"right", get({{"Authorization", "Bearer s3cret"}}), 200},
      {"the scheme in any case", get({{"authorization", "bEARER s3cret"}}), 200},
      {"wrong", get({{"Authorization", "Bearer s3creT"}}), 401},
      {"a beginning", get({{"Authorization", "Bearer s3cre"}}), 401},
      {"nothing", get({{"Authorization", "Bearer "}}), 401},
      {"more", get({{"Authorization", "Bearer s3crets3cret"}}), 401},
      {"another scheme", get({{"Authorization", "Basic s3cret"}}), 401},
      {"no scheme", get({{"Authorization", "s3cret"}}), 401},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(status_of(row.request, rules) == row.status);
    CHECK(status_of(row.request, rules, {.needs_token = false}) == 200);
  }
  const auto refusal = refusal_of(get({}), rules, {});
  REQUIRE(refusal);
  CHECK(refusal->headers.back() == Header{"WWW-Authenticate", "Bearer"});
  CHECK(refusal->body.find("s3cret") == std::string::npos);
  CHECK(status_of(get({{"Authorization", "Bearer wrong"}}), {}) == 200);  // none is asked for
}

TEST_CASE("access: reading is by GET and HEAD, acting by POST with a header no form can send") {
  const Door reads{};
  const Door acts{.takes_post = true};
  const std::vector<Field> by{{"X-Requested-By", "me"}};
  CHECK(status_of({.method = "GET"}, {}, reads) == 200);
  CHECK(status_of({.method = "HEAD"}, {}, reads) == 200);
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", ""}) {
    CAPTURE(method);
    const auto refusal = refusal_of({.method = method, .headers = by}, {}, reads);
    REQUIRE(refusal);
    CHECK(refusal->status == 405);
    CHECK(refusal->headers.back() == Header{"Allow", "GET, HEAD"});
  }
  CHECK(status_of({.method = "POST", .headers = by}, {}, acts) == 200);
  CHECK(status_of({.method = "POST"}, {}, acts) == 403);
  CHECK(status_of({.method = "POST", .headers = {{"X-Requested-By", ""}}}, {}, acts) == 403);
  const auto refusal = refusal_of({.method = "GET"}, {}, acts);
  REQUIRE(refusal);
  CHECK(refusal->status == 405);
  CHECK(refusal->headers.back() == Header{"Allow", "POST"});
}

TEST_CASE("access: what is wrong with the name is told before anything that a stranger may learn") {
  const AccessRules rules{.hosts = {}, .token = "s3cret"};
  CHECK(status_of({.method = "DELETE", .headers = {{"Host", "evil.example"}}}, rules) == 421);
  CHECK(status_of({.method = "DELETE", .headers = {{"Origin", "null"}}}, rules) == 403);
  CHECK(status_of({.method = "DELETE"}, rules) == 401);
}

TEST_CASE("access: a foreign name is quoted, so that an error is text") {
  const auto refusal = refusal_of(get({{"Host", "<b>\n"}}), {}, {});
  REQUIRE(refusal);
  CHECK(refusal->body.find("\\\"<b>\\\\x0A\\\"") != std::string::npos);
}
