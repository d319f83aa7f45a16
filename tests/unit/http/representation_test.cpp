#include "http/representation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "base/gzip.hpp"

using namespace tally::http;

namespace {

std::optional<std::string> value_of(const Response& response, std::string_view name) {
  const auto found = std::ranges::find(response.headers, name, &Header::name);
  return found == response.headers.end() ? std::nullopt : std::optional(found->value);
}

Wishes wishes(std::string_view accepted, std::string_view has = "") {
  return wishes_of({.headers = {{"accept-encoding", accepted}, {"If-None-Match", has}}});
}

const std::string large(10'000, 'x');

}  // namespace

TEST_CASE("representation: gzip is for those who name it and do not forbid it") {
  struct Row {
    const char* accepted;
    bool takes;
  };
  const Row rows[] = {{"gzip", true},
                      {"GZIP", true},
                      {"deflate, gzip;q=1.0, *;q=0.5", true},
                      {"br , gzip ; q=0.001", true},
                      {"gzip;level=1;q=0.5", true},
                      {"", false},
                      {"gzip;q=0", false},
                      {"gzip; Q=0.000", false},
                      {"gzip;q=", false},
                      {"x-gzip, gzipped", false},
                      {"identity", false},
                      {"deflate;q=0.5,br", false},
                      {",,;;,", false}};
  for (const Row& row : rows) {
    CAPTURE(row.accepted);
    CHECK(wishes(row.accepted).takes_gzip == row.takes);
  }
  CHECK_FALSE(wishes_of({}).takes_gzip);
}

TEST_CASE("representation: packed and plain are the same text with different tags") {
  const Response plain = represented({.body = large}, wishes(""));
  CHECK(plain.body == large);
  CHECK_FALSE(value_of(plain, "Content-Encoding"));
  const Response packed = represented({.body = large}, wishes("gzip"));
  CHECK(tally::gunzip(packed.body, large.size()) == large);
  CHECK(value_of(packed, "Content-Encoding") == "gzip");
  for (const Response& response : {plain, packed}) {
    CHECK(response.status == 200);
    CHECK(value_of(response, "Vary") == "Accept-Encoding");
  }
  CHECK(value_of(plain, "ETag")->starts_with('"'));
  CHECK(value_of(packed, "ETag")->starts_with("W/\""));  // its bytes may differ the next time
  CHECK(value_of(plain, "ETag") != value_of(packed, "ETag"));
}

TEST_CASE("representation: what fits a packet is not packed") {
  const Response small = represented({.body = "small"}, wishes("gzip"));
  CHECK(small.body == "small");
  CHECK_FALSE(value_of(small, "Content-Encoding"));
}

TEST_CASE("representation: who has it gets 304 and no body; a changed text is sent") {
  for (const char* accepted : {"", "gzip"}) {
    CAPTURE(accepted);
    const std::string tag = *value_of(represented({.body = large}, wishes(accepted)), "ETag");
    const std::string strong = tag.substr(tag.find('"'));
    for (const std::string& has : {tag, strong, "W/" + strong, "\"other\", " + tag,
                                   "\"other\"," + tag + ",\"more\"", std::string("*")}) {
      CAPTURE(has);
      const Response response = represented({.body = large}, wishes(accepted, has));
      CHECK(response.status == 304);
      CHECK(response.body.empty());
      CHECK(value_of(response, "ETag") == tag);
      CHECK(value_of(response, "Vary") == "Accept-Encoding");
    }
    CHECK(represented({.body = large + "y"}, wishes(accepted, tag)).status == 200);
    CHECK(represented({.body = large}, wishes(accepted, "\"other\"")).status == 200);
    CHECK(represented({.body = large}, wishes(accepted, "")).status == 200);
  }
}

TEST_CASE("representation: the other form's tag is not this form's") {
  const std::string tag = *value_of(represented({.body = large}, wishes("gzip")), "ETag");
  CHECK(represented({.body = large}, wishes("", tag)).status == 200);
}

TEST_CASE("representation: a file that is packed already is sent as it is, or unpacked") {
  const std::string packed = *tally::gzip(large);
  const Response sent = represented_packed({.body = packed}, wishes("gzip"));
  CHECK(sent.body == packed);
  CHECK(value_of(sent, "Content-Encoding") == "gzip");
  const Response unpacked = represented_packed({.body = packed}, wishes(""));
  CHECK(unpacked.body == large);
  CHECK_FALSE(value_of(unpacked, "Content-Encoding"));
  CHECK(value_of(sent, "ETag") != value_of(unpacked, "ETag"));
  for (const Response& response : {sent, unpacked})
    CHECK(value_of(response, "ETag")->starts_with('"'));
  const std::string tag = *value_of(unpacked, "ETag");
  CHECK(represented_packed({.body = packed}, wishes("", tag)).status == 304);
}
