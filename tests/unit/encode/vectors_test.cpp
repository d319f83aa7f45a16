// The rows of tests/vectors/lineprotocol.tsv: points as JSON and the line they must give.
//
// A row's point goes the way of ours: names and tags through SeriesKeyBuilder, then to a line.
// Where its one field is `value` it is written by encode_influx as a gauge (".gauge" joins the
// name); else the line is put together from the words. An integer of a row is written as a float,
// as all our fields.

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "escapes.hpp"
#include "line_reader.hpp"
#include "tally/encode.hpp"
#include "tally/series.hpp"
#include "vectors.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

struct Point {
  std::string measurement;
  std::vector<std::pair<std::string, std::string>> tags;
  std::vector<std::pair<std::string, double>> fields;
  bool has_integer = false;
};

// Reads just the JSON of the rows: {"m":"cpu","t":{"k":"v"},"f":{"x":{"float":1}},"ts":0,"p":"ns"}.
class PointReader {
 public:
  explicit PointReader(std::string_view text) : rest_(text) {}

  Point read() {
    Point point;
    take("{\"m\":");
    point.measurement = string();
    take(",\"t\":");
    members([&](std::string key) { point.tags.emplace_back(std::move(key), string()); });
    take(",\"f\":");
    members([&](std::string key) {
      take("{");
      point.has_integer |= string() == "int";
      take(":");
      point.fields.emplace_back(std::move(key), number());
      take("}");
    });
    return point;
  }

 private:
  void take(std::string_view text) {
    REQUIRE(rest_.starts_with(text));
    rest_.remove_prefix(text.size());
  }

  template <class OnMember>
  void members(OnMember on_member) {
    take("{");
    while (!rest_.starts_with("}")) {
      if (rest_.starts_with(",")) take(",");
      std::string key = string();
      take(":");
      on_member(std::move(key));
    }
    take("}");
  }

  std::string string() {
    std::string text;
    take("\"");
    while (!rest_.starts_with("\"")) {
      if (rest_.starts_with("\\")) {
        text += escape_sequence();
      } else {
        text += rest_.front();
        take(rest_.substr(0, 1));
      }
    }
    take("\"");
    return text;
  }

  std::string escape_sequence() {
    take("\\");
    const char kind = rest_.front();
    take(rest_.substr(0, 1));
    if (kind == 'n') return "\n";
    if (kind == 'u') return utf8(code_point());
    return std::string(1, kind);
  }

  unsigned long code_unit() {
    const std::string digits(rest_.substr(0, 4));
    take(digits);
    return std::stoul(digits, nullptr, 16);
  }

  unsigned long code_point() {
    const unsigned long unit = code_unit();
    if (unit < 0xd800 || unit > 0xdbff) return unit;
    take("\\u");
    return 0x10000 + ((unit - 0xd800) << 10) + (code_unit() - 0xdc00);
  }

  static std::string utf8(unsigned long point) {
    auto tail = [point](int shift) { return static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
    if (point < 0x80) return {static_cast<char>(point)};
    if (point < 0x800) return {static_cast<char>(0xc0 | (point >> 6)), tail(0)};
    if (point < 0x10000) return {static_cast<char>(0xe0 | (point >> 12)), tail(6), tail(0)};
    return {static_cast<char>(0xf0 | (point >> 18)), tail(12), tail(6), tail(0)};
  }

  double number() {
    const std::string text(rest_.substr(0, rest_.find('}')));
    take(text);
    return std::strtod(text.c_str(), nullptr);  // not stod: it throws at 5e-324
  }

  std::string_view rest_;
};

// Rows that speak of what we never write.
const std::map<std::string, std::string>& rows_left_out() {
  static const std::map<std::string, std::string> reasons = {
      {"L-010", "a stamp in nanoseconds: ours are windows, in s or ms"},
      {"L-042", "a stamp to be cut: a window's is whole already (WindowClock)"},
      {"L-045", "a stamp to be cut: a window's is whole already (WindowClock)"},
      {"L-024", "a backslash in a field's name: the names of fields are ours"},
      {"L-053", "an empty field name: the names of fields are ours"},
      {"L-062",
       "two fields, one infinite: influx_test, \"a field that is not finite is left out\""},
      {"L-068", "a boolean"},
  };
  return reasons;
}

bool is_left_out(const std::string& id, const std::string& kind) {
  return kind.starts_with("schema-") || kind == "string-field" || rows_left_out().contains(id);
}

// Where a row leaves the choice in words, this is ours.
const std::map<std::string, std::string>& rows_of_choice() {
  static const std::map<std::string, std::string> lines = {
      {"L-004", "cpu,regions=_\\,\\,\\=east value=1 0"},
      {"L-009", "cpu,regions=eas_t value=1 0"},
      {"L-017", "cpu,regions=east_\\  value=1 0"},
      {"L-031", "cpu,reg_\\=ion=east value=1 0"},
      {"L-050", "x_ f=1 0"},
      {"L-098", "m,value_=x value=1 0"},
  };
  return lines;
}

std::string without_stamp(const std::string& line) {
  return line.substr(0, line.rfind(' '));
}

// `x=1i,y=2i 0` -> `x=1,y=2 0`. Not std::regex: g++ 12 warns of its insides under a sanitizer.
std::string with_floats(std::string line) {
  for (std::size_t at = line.find('i'); at != std::string::npos; at = line.find('i', at + 1)) {
    const bool is_integer_mark = at > 0 && at + 1 < line.size() &&
                                 std::isdigit(line[at - 1]) != 0 &&
                                 (line[at + 1] == ',' || line[at + 1] == ' ');
    if (is_integer_mark) line.erase(at, 1);
  }
  return line;
}

// The lines a row allows, in our terms: unescaped, floats for integers, without stamps.
std::vector<std::string> allowed_lines(const std::string& id, const std::string& expected,
                                       const std::string& also_ok) {
  std::vector<std::string> lines = {expected};
  const std::string separator = " || ";
  for (std::size_t at = 0; at < also_ok.size();) {
    const std::size_t end = std::min(also_ok.find(separator, at), also_ok.size());
    lines.push_back(also_ok.substr(at, end - at));
    at = end + separator.size();
  }
  for (std::string& line : lines) {
    line = unescape(line).value_or("");
    line = without_stamp(with_floats(line));
  }
  const auto chosen = rows_of_choice().find(id);
  if (chosen != rows_of_choice().end()) lines.push_back(without_stamp(chosen->second));
  return lines;
}

std::string key_of(const Point& point) {
  std::vector<Tag> tags;
  for (const auto& [key, value] : point.tags) tags.push_back({key, value});
  SeriesKeyBuilder builder({});
  return std::string(builder.build(Kind::gauge, point.measurement, tags));
}

std::string line_of_words(const Point& point) {
  const std::string key = key_of(point);
  const Series series = split_series_key(key);
  std::string line;
  append_measurement(line, series.name);
  for (const TagView& tag : series.tags) {
    line += ',';
    append_key(line, tag.key);
    line += '=';
    append_key(line, tag.value);
  }
  char separator = ' ';
  for (const auto& [name, value] : point.fields) {
    line += std::exchange(separator, ',');
    append_key(line, name);
    line += '=';
    append_number(line, value);
  }
  return line;
}

// As a gauge, and then without ".gauge".
std::string line_of_encoder(const Point& point) {
  const std::string key = key_of(point);
  Snapshot snapshot{.span = {WallTime{}, std::chrono::seconds(1)}};
  snapshot.gauges.push_back({key, point.fields.at(0).second});
  const std::vector<Payload> payloads = encode_influx(snapshot, {});
  REQUIRE(payloads.size() == 1);
  std::string line = payloads[0].body;
  REQUIRE(line.ends_with(" 0\n"));
  line.pop_back();
  CHECK(read_line(line).has_value());
  const std::size_t suffix = line.find(".gauge");
  REQUIRE(suffix != std::string::npos);
  line.erase(suffix, std::string_view(".gauge").size());
  return without_stamp(line);
}

bool contains(const std::vector<std::string>& lines, const std::string& line) {
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

}  // namespace

TEST_CASE("line protocol vectors: every row that speaks of what we write gives its line") {
  std::size_t run = 0;
  std::size_t left_out = 0;
  for (const VectorRow& row : read_vectors(TESTS_DIR "/vectors/lineprotocol.tsv")) {
    const std::string& id = row["id"];
    CAPTURE(id);
    if (is_left_out(id, row["kind"])) {
      ++left_out;
      continue;
    }
    const Point point = PointReader(row["input"]).read();
    const std::vector<std::string> allowed = allowed_lines(id, row["expected"], row["also_ok"]);
    const std::string words = line_of_words(point);
    CHECK_MESSAGE(contains(allowed, words), words);
    if (point.fields.size() == 1 && point.fields[0].first == "value") {
      CHECK(line_of_encoder(point) == words);
    }
    ++run;
  }
  CHECK(run == 34);
  CHECK(left_out == 15);
}
