#include "http/message.hpp"

#include <doctest/doctest.h>

using namespace tally::http;

TEST_CASE("message: headers are found in any case, parameters as they are; the first counts") {
  const Request request{.headers = {{"Content-TYPE", "a"}, {"content-type", "b"}},
                        .parameters = {{"Q", "1"}, {"q", "2"}, {"q", "3"}}};
  CHECK(header(request, "Content-Type") == "a");
  CHECK_FALSE(header(request, "Content-Typ"));
  CHECK(parameter(request, "q") == "2");
  CHECK_FALSE(parameter(request, "x"));
}

TEST_CASE("message: an error is JSON, whatever its text holds") {
  const Response response = error(400, "\"a\"\n\xff");
  CHECK(response.status == 400);
  CHECK(response.body == "{\"error\":\"\\\"a\\\"\\n\xEF\xBF\xBD\"}\n");
  CHECK(response.headers == std::vector<Header>{{"Content-Type", "application/json"}});
}
