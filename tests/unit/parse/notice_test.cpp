// What an event or a service check says; which lines are taken at all is in parse_test.

#include <doctest/doctest.h>

#include <string>

#include "guarded_buffer.hpp"
#include "tally/parse.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

struct Parsed {
  explicit Parsed(const std::string& line) : buffer(line) {
    parse_datagram(buffer.view(), {}, batch);
    REQUIRE(batch.samples.size() == 1);
    REQUIRE(batch.notices.size() == 1);
  }
  const Sample& sample() const { return batch.samples[0]; }
  const Notice& notice() const { return batch.notices[sample().notice]; }

  GuardedBuffer buffer;
  Batch batch;
};

}  // namespace

TEST_CASE("notice: all fields of an event are read, in any order") {
  const Parsed parsed(
      "_e{5,4}:title|text|s:source|#env:prod|k:key|t:error|p:low|h:web-1|d:1700000000");
  CHECK(parsed.sample().kind == Kind::event);
  CHECK(parsed.sample().name == "title");
  CHECK(parsed.notice().text == "text");
  CHECK(parsed.notice().time == 1700000000);
  CHECK(parsed.notice().host == "web-1");
  CHECK(parsed.notice().priority == "low");
  CHECK(parsed.notice().alert == "error");
  CHECK(parsed.notice().key == "key");
  CHECK(parsed.notice().source == "source");
  REQUIRE(parsed.sample().tag_count == 1);
  CHECK(parsed.batch.tags_of(parsed.sample())[0] == Tag{"env", "prod", false});
}

TEST_CASE("notice: lengths are in bytes, so title and text may hold pipes and UTF-8") {
  const Parsed parsed("_e{6,3}:ab|| c|\xe2\x82\xac|t:info");
  CHECK(parsed.sample().name == "ab|| c");
  CHECK(parsed.notice().text == "\xe2\x82\xac");
  CHECK(parsed.notice().alert == "info");
}

TEST_CASE("notice: all fields of a service check are read, and the last of one kind stays") {
  const Parsed parsed("_sc|agent.up|2|d:21|h:a|h:b|d:22|#x|m:it is down");
  CHECK(parsed.sample().kind == Kind::service_check);
  CHECK(parsed.sample().name == "agent.up");
  CHECK(parsed.notice().status == 2);
  CHECK(parsed.notice().time == 22);
  CHECK(parsed.notice().host == "b");
  CHECK(parsed.notice().text == "it is down");
  CHECK(parsed.sample().tag_count == 1);
}

TEST_CASE("notice: a field that makes no sense is left out and the rest is taken") {
  const Parsed event("_e{1,1}:a|b|d:soon|p:urgent|t:odd|k");
  CHECK(event.notice().time == 0);
  CHECK(event.notice().priority.empty());
  CHECK(event.notice().alert.empty());
  const Parsed check("_sc|a|0|d:-5|p:low");
  CHECK(check.notice().time == 0);
  CHECK(check.notice().priority.empty());
}

TEST_CASE("notice: a refused one leaves nothing behind for its neighbours") {
  Batch batch;
  parse_datagram("_e{1,1}:a|b|#" + std::string(300, 'k') + "\n_sc|c|1", {}, batch);
  REQUIRE(batch.samples.size() == 1);
  CHECK(batch.refused[0].reason == Reason::tag_too_long);
  CHECK(batch.notices[batch.samples[0].notice].status == 1);
}

TEST_CASE("notice: the two characters backslash and n are read as a line feed") {
  CHECK(unescape_notice("a\\nb\\n") == "a\nb\n");
  CHECK(unescape_notice("a\\tb\\") == "a\\tb\\");
  CHECK(unescape_notice("\\\\n") == "\\\n");
}
