#include "watch/queries.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "tally/sample.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using http::parameter;
using http::Request;
using Words = std::span<const std::string_view>;

constexpr std::array<std::string_view, 4> sort_words = {"rate", "name", "last", "bytes"};
constexpr std::array<std::string_view, 2> order_words = {"desc", "asc"};
constexpr std::array<std::string_view, 5> top_words = {"rate", "series", "bytes", "sender", "tag"};
constexpr std::array<std::string_view, value_kind_count> kind_words = {
    "counter", "gauge", "timer", "histogram", "distribution", "set"};  // as Kind counts

struct Range {
  std::uint64_t min;
  std::uint64_t max;
};

/// Sets `number` if the parameter is given.
template <class Number>
Status read_number(const Request& request, std::string_view name, Range range, Number& number) {
  const auto text = parameter(request, name);
  if (!text) return {};
  std::uint64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || stop != end || value < range.min || value > range.max)
    return Error{fmt::format("{} must be a whole number from {} to {}, not {}", name, range.min,
                             range.max, quote(*text, 60))};
  number = static_cast<Number>(value);
  return {};
}

/// Sets `at` to the place of the word that the parameter names, if it is given.
Status read_word(const Request& request, std::string_view name, Words words,
                 std::optional<std::size_t>& at) {
  const auto text = parameter(request, name);
  if (!text) return {};
  const auto found = std::ranges::find(words, *text);
  if (found == words.end())
    return Error{fmt::format("{} must be one of {}, not {}", name, fmt::join(words, ", "),
                             quote(*text, 60))};
  at = static_cast<std::size_t>(found - words.begin());
  return {};
}

std::string text_of(const Request& request, std::string_view name) {
  return std::string(parameter(request, name).value_or(""));
}

}  // namespace

bool has_flag(const Request& request, std::string_view name) {
  const auto text = parameter(request, name);
  return text && *text != "0" && *text != "false";
}

Result<HistoryQuery> parse_series_query(const Request& request) {
  HistoryQuery query{.match = text_of(request, "match"), .kind = {}};
  std::optional<std::size_t> kind, sort, order;
  if (Status error = read_word(request, "kind", kind_words, kind)) return *error;
  if (Status error = read_word(request, "sort", sort_words, sort)) return *error;
  if (Status error = read_word(request, "order", order_words, order)) return *error;
  if (Status error = read_number(request, "limit", {1, 1000}, query.limit)) return *error;
  if (Status error = read_number(request, "offset", {0, 1'000'000'000}, query.offset))
    return *error;
  if (kind) query.kind = static_cast<Kind>(*kind);
  if (sort) query.sort = static_cast<SortBy>(*sort);
  query.without_own = parameter(request, "own") && !has_flag(request, "own");
  query.ascending = order ? *order == 1 : query.sort == SortBy::name;
  return query;
}

Result<TopQuery> parse_top_query(const Request& request) {
  TopQuery query;
  std::optional<std::size_t> by;
  if (Status error = read_word(request, "by", top_words, by)) return *error;
  if (Status error = read_number(request, "limit", {1, 1000}, query.limit)) return *error;
  if (by) query.by = static_cast<TopBy>(*by);
  return query;
}

Result<TapQuery> parse_tap_query(const Request& request) {
  TapQuery query{.filter = {.match = text_of(request, "match"),
                            .sender = text_of(request, "sender"),
                            .only_refused = has_flag(request, "refused")}};
  if (Status error = read_number(request, "limit", {0, 1'000'000'000'000}, query.limit))
    return *error;
  return query;
}

Result<CaptureQuery> parse_capture_query(const Request& request) {
  CaptureQuery query;
  std::uint64_t seconds = static_cast<std::uint64_t>(query.time.count());
  if (Status error = read_number(request, "seconds", {1, 3600}, seconds)) return *error;
  if (Status error = read_number(request, "bytes", {1024, 16ULL << 30}, query.bytes)) return *error;
  query.time = std::chrono::seconds(seconds);
  return query;
}

}  // namespace tally
