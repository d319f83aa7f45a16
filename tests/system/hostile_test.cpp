// Names that influxd swallows, splits, hides or dies of, sent through the real daemon; and floods
// of hostile datagrams beside good series. Then influxd is restarted, which is when invalid UTF-8
// in a name would cost the whole shard.

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "escapes.hpp"
#include "mischief.hpp"
#include "naive.hpp"
#include "rig.hpp"
#include "tally/parse.hpp"
#include "vectors.hpp"

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

// As the daemon writes what the parser or the twin gave.
StoredSeries stored_name(NaiveSample sample) {
  std::string suffix = "." + std::string(to_string(sample.kind));
  if (sample.kind == Kind::counter) suffix = ".count";
  if (is_notice(sample.kind)) suffix = "";
  if (sample.kind == Kind::event) sample.name = "events";
  if (sample.kind == Kind::service_check)
    sample.tags.push_back({"check", std::exchange(sample.name, "service_checks")});
  const NaiveSeries series = naive_series(sample);
  StoredSeries stored{series.name + suffix, series.tags};
  stored.tags.insert({"host", "testhost"});
  return stored;
}

void restart_and_check_shards(Influxd& influxd) {
  CHECK(influxd.log().find("panic") == std::string::npos);
  influxd.restart();
  CHECK(influxd.log().find("Failed to open shard") == std::string::npos);
  CHECK(influxd.log().find("Opened shard") != std::string::npos);
}

// ---- floods

constexpr std::size_t datagrams_a_class = 10'000;
constexpr std::size_t good_series = 1'000;
constexpr std::size_t hostile_per_good = datagrams_a_class / good_series;

std::vector<std::string> vector_datagrams() {
  std::vector<std::string> datagrams;
  for (const char* file : {"/vectors/accept.tsv", "/vectors/reject.tsv"}) {
    for (const VectorRow& row : read_vectors(std::string(TESTS_DIR) + file))
      datagrams.push_back(unescape(row["datagram"]).value());
  }
  REQUIRE(datagrams.size() > 200);
  return datagrams;
}

// What the parser says of all that was sent, and what must be stored of it.
class Heard {
 public:
  void hear(const std::string& datagram, std::uint64_t times) {
    batch_.clear();
    parse_datagram(datagram, {}, batch_);
    accepted += batch_.lines.size() * times;
    for (const Refusal& refusal : batch_.refused) refused[refusal.reason] += times;
    for (const Sample& sample : batch_.samples)
      series.insert(stored_name(as_naive(sample, batch_.tags_of(sample))));
  }

  std::uint64_t lines() const {
    std::uint64_t all = accepted;
    for (const auto& [reason, count] : refused) all += count;
    return all;
  }

  std::uint64_t accepted = 0;
  std::map<Reason, std::uint64_t> refused;
  std::set<StoredSeries> series;

 private:
  Batch batch_;
};

// A line of a good series, of four kinds in turn. Every series gets one a round.
std::string good_line(std::size_t series, std::size_t round) {
  const std::string name = "good.s" + std::to_string(series) + ":";
  const std::string value = std::to_string(series + round);
  constexpr const char* tails[] = {"|c|@0.5", "|ms", "|g"};
  return series % 4 == 3 ? name + "member" + value + "|s" : name + value + tails[series % 4];
}

void check_good(std::size_t series, const StoredSeries& name, const std::vector<Row>& rows,
                std::size_t rounds) {
  CAPTURE(series);
  double count = 0, sum = 0, sent = 0;
  for (const Row& row : rows) {
    count += number_in(row, "count");
    sum += number_in(row, "sum");
  }
  for (std::size_t round = 0; round < rounds; ++round) sent += static_cast<double>(series + round);
  const bool is_gauge = name.measurement.ends_with(".gauge");
  if (name.measurement.ends_with(".count")) CHECK(count == 2 * sent);
  if (name.measurement.ends_with(".timer")) CHECK(sum == sent);
  if (is_gauge) CHECK(number_in(rows.back(), "value") == static_cast<double>(series + rounds - 1));
  // Each member of a set came once, so it is in one window only.
  if (name.measurement.ends_with(".timer") || name.measurement.ends_with(".set"))
    CHECK(count == static_cast<double>(rounds));
}

void check_all_good(const Influxd& influxd, std::size_t rounds) {
  const auto stored = stored_points(influxd, "*", "^good\\.");
  CHECK(stored.size() == good_series);
  constexpr const char* suffixes[] = {".count", ".timer", ".gauge", ".set"};
  for (std::size_t i = 0; i < good_series; ++i) {
    const StoredSeries name{"good.s" + std::to_string(i) + suffixes[i % 4], {{"host", "testhost"}}};
    const auto found = stored.find(name);
    REQUIRE_MESSAGE(found != stored.end(), name.measurement);
    check_good(i, name, found->second, rounds);
  }
}

// How full a queue may be while large datagrams are sent: small ones would leave it empty between
// two looks.
std::size_t queue_bytes_max(const Tallyd& tallyd) {
  const bool has_all = tallyd.log().find("; receive buffer 32MiB\n") != std::string::npos;
  return has_all ? 8 << 20 : StatsdSender::default_queue_bytes_max;
}

// Beside every tenth hostile datagram a good line: by turns behind it in one datagram, or alone.
void send_class(const HostileClass& hostile, std::size_t round, StatsdSender& sender,
                Heard& heard) {
  const std::size_t kinds = hostile.datagrams.size();
  for (std::size_t i = 0; i < datagrams_a_class; ++i) {
    std::string datagram = hostile.datagrams[i % kinds];
    if (i % hostile_per_good == 0) {
      const std::string good = good_line(i / hostile_per_good, round);
      heard.hear(good, 1);
      const bool fits = datagram.size() + 1 + good.size() <= datagram_bytes_max;
      if (fits && i % (2 * hostile_per_good) == 0) {
        datagram += "\n" + good;
      } else {
        sender.send(good);
      }
    }
    sender.send(datagram);
  }
  for (std::size_t i = 0; i < kinds; ++i)
    heard.hear(hostile.datagrams[i], datagrams_a_class / kinds + (i < datagrams_a_class % kinds));
}

void check_stored_is_what_was_sent(const Influxd& influxd, const std::set<StoredSeries>& sent) {
  const std::set<StoredSeries> stored = stored_series(influxd);
  CHECK(stored.size() > 2 * good_series);  // or the flood proved little
  for (const StoredSeries& series : stored)
    CHECK_MESSAGE(sent.contains(series), escape(series.measurement));
  for (const StoredSeries& series : sent)
    CHECK_MESSAGE(stored.contains(series), escape(series.measurement));
  const std::set<std::string> fields = {"count",
                                        "rate",
                                        "value",
                                        "mean",
                                        "min",
                                        "max",
                                        "sum",
                                        "stddev",
                                        "p50",
                                        "p75",
                                        "p95",
                                        "p99",
                                        "p999",
                                        "title",
                                        "text",
                                        "priority",
                                        "alert_type",
                                        "aggregation_key",
                                        "source_type_name",
                                        "hostname",
                                        "status",
                                        "message"};
  for (const Row& row : influxd.query(database, "SHOW FIELD KEYS"))
    CHECK_MESSAGE(fields.contains(row.at("fieldKey")), escape(row.at("fieldKey")));
}

double refused_for(const Influxd& influxd, Reason reason) {
  return stored_sum_of(influxd, "tallyd.lines_refused.count",
                       {{"reason", std::string(to_string(reason))}});
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
  CHECK(stored_series(influxd).size() == accepted.size());
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
  CHECK(stored_series(influxd).size() == truth.size());
  for (const auto& [series, point] : truth) {
    const std::string who = describe(series);
    CAPTURE(who);
    StoredSeries stored{series.name + ".gauge", series.tags};
    stored.tags.insert({"host", "testhost"});
    CHECK(std::strtod(selected_value(influxd, stored).c_str(), nullptr) == point.value);
  }
}

TEST_CASE(
    "hostile datagrams: 10,000 of each class leave 1,000 good series exact, memory flat, and no "
    "point that was not sent") {
  constexpr std::size_t growth_max = 4 << 20;  // bytes, over all classes behind the first
  Influxd influxd;
  influxd.start();
  Tallyd tallyd(
      {.influxdb_url = influxd.url(), .sets = {"limits.series=20000", "gauges.ttl=500ms"}});
  StatsdSender sender(tallyd.port(), IpVersion::v4, queue_bytes_max(tallyd));
  Heard heard;
  const auto is_all_written = [&] {
    return stored_sum(influxd, "tallyd.lines.count") == static_cast<double>(heard.lines());
  };
  const std::vector<HostileClass> classes =
      Mischief(vector_datagrams(), datagrams_a_class).classes();
  std::size_t memory = 0;
  for (std::size_t round = 0; round < classes.size(); ++round) {
    CAPTURE(classes[round].what);
    send_class(classes[round], round, sender, heard);
    REQUIRE(eventually(patience, is_all_written));
    if (round == 0) memory = tallyd.memory_bytes();
    MESSAGE(classes[round].what, ": ", tallyd.memory_bytes() >> 10, " KiB");
    if (!is_sanitized) CHECK(tallyd.memory_bytes() < memory + growth_max);
  }
  tallyd.stop();
  restart_and_check_shards(influxd);

  check_all_good(influxd, classes.size());
  check_stored_is_what_was_sent(influxd, heard.series);
  for (const auto& [reason, count] : heard.refused) {
    const Reason why = reason;  // clang's lambdas take no structured bindings
    CHECK_MESSAGE(refused_for(influxd, why) == static_cast<double>(count), to_string(why));
  }
  // What the parser takes, the table refuses where a sum would leave the range of a double.
  const auto overflows = static_cast<std::uint64_t>(refused_for(influxd, Reason::overflow));
  check_balances(influxd, {.datagrams = sender.datagrams(),
                           .accepted = heard.accepted - overflows,
                           .refused = heard.lines() - heard.accepted + overflows});
}

TEST_CASE("hostile datagrams: past limits.series new names are refused, known series stay exact") {
  constexpr std::size_t series_max = 2 * good_series;
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = endless_interval(),
                 .sets = {"limits.series=" + std::to_string(series_max)}});
  StatsdSender sender(tallyd.port());
  for (std::size_t i = 0; i < good_series; ++i) sender.send(good_line(i, 0));
  for (std::size_t i = 0; i < datagrams_a_class; ++i) {
    sender.send("new" + std::to_string(i) + ":1|c");
    if (i % hostile_per_good == 0) sender.send(good_line(i / hostile_per_good, 1));
  }
  sender.wait_until_read();
  tallyd.stop();
  check_all_good(influxd, 2);
  CHECK(stored_series(influxd).size() == series_max);
  CHECK(refused_for(influxd, Reason::series_limit) == datagrams_a_class - good_series);
  check_balances(influxd, {.datagrams = sender.datagrams(),
                           .accepted = series_max + good_series,
                           .refused = datagrams_a_class - good_series});
}

TEST_CASE("a burst of new series: the memory it took is given back when it is over") {
  constexpr int series = 300'000;
  Influxd influxd;
  influxd.start();
  Tallyd tallyd({.influxdb_url = influxd.url(),
                 .interval = "1s",
                 .sets = {"http.history=0", "limits.series=1000000"}});
  const std::size_t before = tallyd.memory_bytes();
  StatsdSender sender(tallyd.port());
  std::string datagram;
  for (int i = 0; i < series; ++i) {
    datagram += "burst." + std::to_string(i) + ":1|c\n";
    if (datagram.size() < 60'000 && i + 1 < series) continue;  // some thousands, to be quick
    sender.send(datagram);
    datagram.clear();
  }
  sender.wait_until_read();
  const std::size_t during = tallyd.memory_bytes();
  MESSAGE("before, during: ", before >> 20, ", ", during >> 20, " MiB");
  if (is_sanitized) return tallyd.stop();  // their malloc keeps what was freed
  CHECK(during > before + (16 << 20));
  CHECK(eventually(patience, [&] { return tallyd.memory_bytes() < before + (15 << 20); }));
  MESSAGE("after: ", tallyd.memory_bytes() >> 20, " MiB");
  tallyd.stop();
}
