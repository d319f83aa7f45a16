// Names that influxd swallows, splits, hides or dies of, sent through the real daemon. Then influxd
// is restarted, which is when invalid UTF-8 in a name would cost the whole shard.

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "naive.hpp"
#include "rig.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

using Tags = std::map<std::string, std::string>;

struct Hostile {
  const char* what;
  std::string head;  // of the line, before ":VALUE|g"
  std::string tail;  // behind it
  std::string name;  // as stored; "" is refused
  Tags tags = {};
};

std::string many_tags(int count) {
  std::string text = "|#";
  for (int i = 0; i < count; ++i) text += (i == 0 ? "k" : ",k") + std::to_string(i) + ":v";
  return text;
}

Tags many_stored_tags(int count) {
  Tags tags;
  for (int i = 0; i < count; ++i) tags["k" + std::to_string(i)] = "v";
  return tags;
}

// influxdb.md 2.2 and 2.4, row by row; a raw newline cannot be sent: it ends a StatsD line.
std::vector<Hostile> table() {
  using namespace std::string_literals;
  return {
      {"plain", "plain", "", "plain"},
      {"space", "sp ace", "", "sp ace"},
      {"'=' in the name", "eq=ual", "", "eq=ual"},
      {"injected tag", "comma,evil=1", "", "comma", {{"evil", "1"}}},
      {"injected field", "field value=1", "", "field value=1"},
      {"trailing backslash", "trailing\\", "", "trailing_"},
      {"backslash before the tags", "before\\", "|#t:1", "before_", {{"t", "1"}}},
      {"backslash and space", "in\\ side", "", "in_ side"},
      {"comment", "#comment", "", "_comment"},
      {"double quote", "quo\"te\"", "", "quo\"te\""},
      {"single quote", "apo'strophe", "", "apo'strophe"},
      {"tab", "tab\there", "", "tab_here"},
      {"carriage return", "cr\rhere", "", "cr_here"},
      {"NUL", "nul\0here"s, "", "nul_here"},
      {"escape", "esc\x1b[31m", "", "esc_[31m"},
      {"delete", "del\x7fhere", "", "del_here"},
      {"UTF-8", "caf\xc3\xa9", "", "caf\xc3\xa9"},
      {"U+202E", "rtl\xe2\x80\xae", "", "rtl\xe2\x80\xae"},
      {"BOM",
       "\xef\xbb\xbf"
       "bom",
       "",
       "\xef\xbb\xbf"
       "bom"},
      {"U+FFFF", "last\xef\xbf\xbf", "", "last\xef\xbf\xbf"},
      {"four bytes", "pie\xf0\x9f\xa5\xa7", "", "pie\xf0\x9f\xa5\xa7"},
      {"a lone byte", "bad\xff", "", ""},
      {"cut short", "bad\xc3", "", ""},
      {"surrogate", "bad\xed\xa0\x80", "", ""},
      {"overlong", "bad\xc0\xaf", "", ""},
      {"above U+10FFFF", "bad\xf4\x90\x80\x80", "", ""},
      {"invalid UTF-8 in a tag's value", "badtag", "|#k:\xff", ""},
      {"invalid UTF-8 in a tag's key", "badtag", "|#\xff:v", ""},
      {"512 bytes", std::string(512, 'n'), "", std::string(512, 'n')},
      {"513 bytes", std::string(513, 'n'), "", ""},
      {"tag: time", "tagged.time", "|#time:noon", "tagged.time", {{"time_", "noon"}}},
      {"tag: _name", "tagged.sys", "|#_name:x", "tagged.sys", {{"_name_", "x"}}},
      {"tag: _tagKey", "tagged.sys", "|#_tagKey:x", "tagged.sys", {{"_tagKey_", "x"}}},
      {"tag: _tagValue", "tagged.sys", "|#_tagValue:x", "tagged.sys", {{"_tagValue_", "x"}}},
      {"tag: _seriesKey", "tagged.sys", "|#_seriesKey:x", "tagged.sys", {{"_seriesKey_", "x"}}},
      {"tag: named as the field", "tagged.value", "|#value:x", "tagged.value", {{"value_", "x"}}},
      {"tag: without a value", "tagged.bare", "|#urgent", "tagged.bare", {{"urgent", "true"}}},
      {"tag: empty value", "tagged.empty", "|#k:", "tagged.empty"},
      {"tag: twice", "tagged.twice", "|#k:1,k:2", "tagged.twice", {{"k", "2"}}},
      {"tag: unsorted", "tagged.order", "|#z:1,a:2", "tagged.order", {{"a", "2"}, {"z", "1"}}},
      {"tag: ours", "tagged.host", "|#host:own", "tagged.host", {{"host", "own"}}},
      {"tag: '='", "tagged.equals", "|#k=e:v=w", "tagged.equals", {{"k=e", "v=w"}}},
      {"tag: spaces", "tagged.spaces", "|#a b:c d", "tagged.spaces", {{"a b", "c d"}}},
      {"tag: backslashes", "tagged.slash", "|#k\\:v\\", "tagged.slash", {{"k_", "v_"}}},
      {"tag: quotes", "tagged.quotes", "|#k\":\"v\"", "tagged.quotes", {{"k\"", "\"v\""}}},
      {"64 tags", "tagged.64", many_tags(64), "tagged.64", many_stored_tags(64)},
      {"65 tags", "tagged.65", many_tags(65), ""},
      {"100 tags", "tagged.100", many_tags(100), ""},
      {"a name of ours", "tallyd.lines", "", ""},
      {"a keyword", "select", "", "select"},
      {"a suffix of ours", "plain.gauge", "", "plain.gauge"},
      {"a star", "*", "", "*"},
      {"a regular expression", "/.*/", "", "/.*/"},
      {"HTML", "<script>alert(1)</script>", "", "<script>alert(1)</script>"},
  };
}

StoredSeries stored_name(const Hostile& row) {
  StoredSeries series{row.name + ".gauge", row.tags};
  series.tags.insert({"host", "testhost"});
  return series;
}

// By its name and tags, as a user would; of series that have more tags than these, none.
std::string selected_value(const Influxd& influxd, const StoredSeries& series) {
  std::string query = "SELECT last(\"value\") FROM " + quote_identifier(series.measurement);
  const char* separator = " WHERE ";
  for (const auto& [key, value] : series.tags) {
    query += separator + quote_identifier(key) + " = " + quote_string(value);
    separator = " AND ";
  }
  for (const Row& row : influxd.query(database, query + " GROUP BY *")) {
    if (parse_csv_tags(row.at("tags")) == series.tags) return row.at("last");
  }
  return "";
}

std::size_t count_series(const Influxd& influxd) {
  std::size_t count = 0;
  for (const Row& row : influxd.query(database, "SHOW SERIES")) {
    if (!row.at("key").starts_with("tallyd.")) ++count;
  }
  return count;
}

void restart_and_check_shards(Influxd& influxd) {
  CHECK(influxd.log().find("panic") == std::string::npos);
  influxd.restart();
  CHECK(influxd.log().find("Failed to open shard") == std::string::npos);
  CHECK(influxd.log().find("Opened shard") != std::string::npos);
}

}  // namespace

TEST_CASE(
    "hostile names: one accepted series is one selectable series, also after influxd's restart") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(), .interval = endless_interval()});
  StatsdSender sender(tallyd.port());
  const std::vector<Hostile> rows = table();
  std::set<StoredSeries> accepted;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    sender.send(rows[i].head + ":" + std::to_string(i) + ".5|g" + rows[i].tail);
    if (!rows[i].name.empty()) accepted.insert(stored_name(rows[i]));
  }
  sender.wait_until_read();
  tallyd.stop();
  restart_and_check_shards(influxd);

  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].name.empty()) continue;
    CAPTURE(rows[i].what);
    CHECK(selected_value(influxd, stored_name(rows[i])) == std::to_string(i) + ".5");
  }
  CHECK(count_series(influxd) == accepted.size());
  CHECK(stored_sum(influxd, "tallyd.lines.count", "accepted") ==
        static_cast<double>(accepted.size()));
  CHECK(stored_sum(influxd, "tallyd.lines.count", "refused") ==
        static_cast<double>(rows.size() - accepted.size()));
}

TEST_CASE("hostile names: seeded ones of every awkward byte are stored as the twin names them") {
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(), .interval = endless_interval()});
  StatsdSender sender(tallyd.port());
  const std::vector<StaticTag> static_tags = {{"host", "testhost"}};
  NaiveDaemon twin(static_tags, std::chrono::milliseconds(0));
  const std::string alphabet = "ab.,= \\\"'#;[]/*|:@_\t\x01\x7f\xc3\xa9\xff";
  std::mt19937 random(20240607);
  for (int i = 0; i < 2000; ++i) {
    std::string line;
    for (std::size_t size = 1 + random() % 12; line.size() < size;)
      line += alphabet[random() % alphabet.size()];
    line += ":" + std::to_string(i) + "|g";
    if (i % 2 == 0) line += "|#" + line.substr(0, 6) + ":" + line.substr(1, 5);
    sender.send(line);
    for (const NaiveLine& heard : naive_parse(line)) {
      if (!heard.faults.empty()) continue;
      for (const NaiveSample& sample : heard.samples) twin.hear(sample);
    }
  }
  sender.wait_until_read();
  tallyd.stop();
  restart_and_check_shards(influxd);

  const NaiveWindow truth = twin.close(std::chrono::hours(1));
  CHECK(truth.size() > 300);
  CHECK(count_series(influxd) == truth.size());
  for (const auto& [series, point] : truth) {
    const std::string who = describe(series);
    CAPTURE(who);
    StoredSeries stored{series.name + "." + std::string(to_string(series.kind)), series.tags};
    stored.tags.insert({"host", "testhost"});
    CHECK(std::strtod(selected_value(influxd, stored).c_str(), nullptr) == point.value);
  }
}
