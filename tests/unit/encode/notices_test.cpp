#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tally/encode.hpp"

using namespace tally;
using std::chrono::milliseconds;

namespace {

const WallTime heard = WallTime(milliseconds(1'700'000'000'123));

std::string encoded(const std::vector<std::string>& lines, const Naming& naming = {}) {
  std::vector<StampedNotice> notices;
  for (const std::string& line : lines) notices.push_back({line, heard});
  std::string body;
  for (const Payload& payload : encode_notices(notices, naming)) {
    CHECK(payload.precision == Precision::milliseconds);
    body += payload.body;
  }
  return body;
}

}  // namespace

TEST_CASE("notices: an event is one line of string fields, stamped when it was heard") {
  CHECK(encoded({"_e{5,4}:title|text|#env:prod"}) ==
        "events,env=prod title=\"title\",text=\"text\",priority=\"normal\",alert_type=\"info\" "
        "1700000000123\n");
}

TEST_CASE("notices: what the sender says of an event is written, and its time is the stamp") {
  CHECK(
      encoded({"_e{1,1}:a|b|d:1600000000|h:web|p:low|t:error|k:key|s:src"}) ==
      "events title=\"a\",text=\"b\",priority=\"low\",alert_type=\"error\",aggregation_key=\"key\","
      "source_type_name=\"src\",hostname=\"web\" 1600000000000\n");
}

TEST_CASE("notices: a service check is tagged with its name, beside static and own tags") {
  const Naming naming{.prefix = "my.", .static_tags = {{"dc", "x"}, {"host", "h"}}};
  CHECK(
      encoded({"_sc|db.up|2|m:no answer|#dc:own"}, naming) ==
      "my.service_checks,check=db.up,dc=own,host=h status=2,message=\"no answer\" 1700000000123\n");
}

TEST_CASE("notices: nothing in a text can end its string or its line") {
  CHECK(encoded({"_e{7,6}:a\",x=1 |b\\nc\\\"|#k:a b"}) ==
        "events,k=a\\ b title=\"a\\\",x=1 "
        "\",text=\"b\\\\nc\\\\\\\"\",priority=\"normal\",alert_type=\"info\" "
        "1700000000123\n");
}

TEST_CASE("notices: two of one series at one time get two stamps, of two series they keep one") {
  const std::string body = encoded({"_sc|a|0", "_sc|a|1", "_sc|b|0", "_sc|a|2"});
  CHECK(body ==
        "service_checks,check=a status=0 1700000000123\n"
        "service_checks,check=a status=1 1700000000124\n"
        "service_checks,check=b status=0 1700000000123\n"
        "service_checks,check=a status=2 1700000000125\n");
}

TEST_CASE("notices: a time that InfluxDB cannot hold is not taken for the stamp") {
  CHECK(encoded({"_sc|a|0|d:9300000000"}).ends_with(" 1700000000123\n"));
}

TEST_CASE("notices: payloads are bounded by lines and by bytes") {
  std::vector<StampedNotice> notices(10, StampedNotice{"_sc|a|0", heard});
  const auto by_lines = encode_notices(notices, {}, {.bytes_max = 1 << 20, .lines_max = 4});
  REQUIRE(by_lines.size() == 3);
  CHECK(by_lines[2].points == 2);
  const auto by_bytes = encode_notices(notices, {}, {.bytes_max = 100, .lines_max = 1000});
  CHECK(by_bytes.size() == 5);
  for (const Payload& payload : by_bytes) CHECK(payload.body.size() <= 100);
}

TEST_CASE("notices: what was taken under wider limits than the default is written all the same") {
  const std::string name(600, 'n'), key(400, 'k');
  const std::string body = encoded({"_sc|" + name + "|0|#" + key + ":v"});
  CHECK(body.find("check=" + name) != std::string::npos);
  CHECK(body.find(key + "=v") != std::string::npos);
}

TEST_CASE("notices: ten thousand of one second get a stamp each, in order") {
  std::vector<StampedNotice> notices(10'000, StampedNotice{"_e{1,1}:a|b|d:1700000000", heard});
  std::int64_t expected = 1'700'000'000'000;
  std::size_t lines = 0;
  for (const Payload& payload : encode_notices(notices, {})) {
    for (std::string_view rest = payload.body; !rest.empty(); ++lines, ++expected) {
      const std::size_t end = rest.find('\n');
      CHECK(rest.substr(0, end).ends_with(" " + std::to_string(expected)));
      rest.remove_prefix(end + 1);
    }
  }
  CHECK(lines == notices.size());
}
