#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tally/api.hpp"

using namespace tally;

namespace {

const Payload payload{.body = "a.count count=1,rate=0.1 1700000000\n", .points = 1};

Destination over(Api api) {
  return {.url = "http://db:8086", .api = api, .database = "my db/1", .org = "a&b"};
}

/// The Authorization header; "" if there is none.
std::string authorization(const ApiRequest& request) {
  std::string found;
  for (const std::string& header : request.headers) {
    if (!header.starts_with("Authorization: ")) continue;
    CHECK(found.empty());
    found = header.substr(15);
  }
  return found;
}

std::string path(Destination to, Precision precision = Precision::seconds,
                 const Credentials& credentials = {}) {
  Payload precise = payload;
  precise.precision = precision;
  return write_request(to, credentials, precise).path;
}

}  // namespace

TEST_CASE("write_request: each API has its path, names percent-encoded") {
  CHECK(path(over(Api::v0_8)) == "/db/my%20db%2F1/series?time_precision=s");
  CHECK(path(over(Api::v1)) == "/write?db=my%20db%2F1&precision=s");
  CHECK(path(over(Api::v2)) == "/api/v2/write?org=a%26b&bucket=my%20db%2F1&precision=s");
  CHECK(path(over(Api::v3)) ==
        "/api/v3/write_lp?db=my%20db%2F1&precision=second&accept_partial=true");
  Destination odd = over(Api::v1);
  odd.database = "é\"&=#?+%\n-._~";
  CHECK(path(odd) == "/write?db=%C3%A9%22%26%3D%23%3F%2B%25%0A-._~&precision=s");
}

TEST_CASE("write_request: a retention policy is a parameter of 1.x and a part of 2.x's bucket") {
  const auto with_policy = [](Api api) {
    Destination to = over(api);
    to.database = "db";
    to.retention_policy = "two weeks";
    return path(to);
  };
  CHECK(with_policy(Api::v0_8) == "/db/db/series?time_precision=s");
  CHECK(with_policy(Api::v1) == "/write?db=db&rp=two%20weeks&precision=s");
  CHECK(with_policy(Api::v2) == "/api/v2/write?org=a%26b&bucket=db%2Ftwo%20weeks&precision=s");
  CHECK(with_policy(Api::v3) == "/api/v3/write_lp?db=db&precision=second&accept_partial=true");
}

TEST_CASE("write_request: the precision is a word that this API knows") {
  struct Row {
    Api api;
    std::string_view seconds, milliseconds, nanoseconds;
  };
  constexpr Row rows[] = {{Api::v0_8, "=s", "=ms", "=u"},
                          {Api::v1, "=s", "=ms", "=ns"},
                          {Api::v2, "=s", "=ms", "=ns"},
                          {Api::v3, "=second&", "=millisecond&", "=nanosecond&"}};
  for (const Row& row : rows) {
    CAPTURE(to_string(row.api));
    const Destination to = over(row.api);
    const auto has = [&](Precision precision, std::string_view word) {
      return (path(to, precision) + '&').find("precision" + std::string(word)) != std::string::npos;
    };
    CHECK(has(Precision::seconds, row.seconds));
    CHECK(has(Precision::milliseconds, row.milliseconds));
    CHECK(has(Precision::nanoseconds, row.nanoseconds));
  }
}

TEST_CASE("write_request: each API gets the credentials that are its own, and others if it can") {
  struct Row {
    const char* name;
    Credentials credentials;
    std::string_view v1, v2, v3;
  };
  const Row rows[] = {
      {"none", {}, "", "", ""},
      {"user", {"wr", "a:b", ""}, "Basic d3I6YTpi", "Token wr:a:b", "Basic d3I6YTpi"},
      {"user without password", {"wr", "", ""}, "Basic d3I6", "Token wr:", "Basic d3I6"},
      {"token", {"", "", "t0k"}, "Token t0k", "Token t0k", "Bearer t0k"},
      {"both", {"wr", "a:b", "t0k"}, "Basic d3I6YTpi", "Token t0k", "Bearer t0k"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(authorization(write_request(over(Api::v1), row.credentials, payload)) == row.v1);
    CHECK(authorization(write_request(over(Api::v2), row.credentials, payload)) == row.v2);
    CHECK(authorization(write_request(over(Api::v3), row.credentials, payload)) == row.v3);
    CHECK(authorization(write_request(over(Api::v0_8), row.credentials, payload)).empty());
  }
}

TEST_CASE("write_request: 0.8 gets user and password in the query, both or none") {
  const Destination to = over(Api::v0_8);
  const auto query = [&](const Credentials& credentials) {
    const std::string all = path(to, Precision::seconds, credentials);
    return all.substr(all.find('?'));
  };
  CHECK(query({"root", "a:b&c", ""}) == "?u=root&p=a%3Ab%26c&time_precision=s");
  CHECK(query({"root", "", ""}) == "?time_precision=s");
  CHECK(query({"", "x", "t0k"}) == "?time_precision=s");
}

TEST_CASE("write_request: the body is the payload's, but for 0.8, which has a fresh connection") {
  for (const Api api : {Api::v1, Api::v2, Api::v3}) {
    const ApiRequest request = write_request(over(api), {}, payload);
    CHECK_FALSE(request.body);
    CHECK(request.headers.at(0) == "Content-Type: text/plain; charset=utf-8");
    CHECK(request.keeps_connection);
    CHECK(request.left_out.empty());
  }
  const ApiRequest old = write_request(over(Api::v0_8), {}, payload);
  CHECK(old.body == R"([{"name":"a.count","columns":["time","sequence_number","count","rate"],)"
                    R"("points":[[1700000000,1,1.0,0.1]]}])");
  CHECK_FALSE(old.keeps_connection);
  CHECK(write_request(over(Api::v0_8), {}, {.body = "m v=1 1\nnonsense\n"}).left_out ==
        std::vector<std::uint32_t>{1});
}

TEST_CASE("create_database_request: 1.x gets InfluxQL, 0.8 JSON, and the others nothing") {
  Destination to = over(Api::v1);
  to.database = "a\"b\\c\nd";
  auto request = create_database_request(to, {"root", "x", ""});
  REQUIRE(request);
  CHECK(request->path == "/query");
  CHECK(request->body == "q=CREATE%20DATABASE%20%22a%5C%22b%5C%5Cc%5Cnd%22");
  CHECK(request->headers.at(0) == "Content-Type: application/x-www-form-urlencoded");
  CHECK(authorization(*request) == "Basic cm9vdDp4");
  to.api = Api::v0_8;
  request = create_database_request(to, {"root", "x", ""});
  REQUIRE(request);
  CHECK(request->path == "/db?u=root&p=x");
  CHECK(request->body == R"({"name":"a\"b\\c\nd"})");
  CHECK_FALSE(request->keeps_connection);
  CHECK(create_database_request(to, {})->path == "/db");
  CHECK_FALSE(create_database_request(over(Api::v2), {}));
  CHECK_FALSE(create_database_request(over(Api::v3), {}));
}
