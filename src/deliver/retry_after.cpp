#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>

#include "deliver/answer.hpp"

namespace tally {
namespace {

using namespace std::chrono;

constexpr seconds longest{300};

std::optional<seconds> parse_seconds(std::string_view text) {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (stop != end || error == std::errc::invalid_argument) return std::nullopt;
  return error == std::errc::result_out_of_range ? longest : seconds{number};
}

}  // namespace

std::optional<sys_seconds> parse_http_date(std::string_view text) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || !text.ends_with(" GMT")) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = -1;
    const char* end = text.data() + at + digits;
    return std::from_chars(text.data() + at, end, value).ptr == end ? value : -1;
  };
  const std::size_t month = months.find(text.substr(8, 3));
  const year_month_day date{year{number(12, 4)},
                            std::chrono::month{static_cast<unsigned>(month / 3 + 1)},
                            day{static_cast<unsigned>(number(5, 2))}};
  const int hour = number(17, 2);
  const int minute = number(20, 2);
  const int second = number(23, 2);
  if (month % 3 != 0 || !date.ok() || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  return sys_days{date} + hours{hour} + minutes{minute} + seconds{second};
}

seconds retry_after(const Response& response) {
  if (const auto wish = parse_seconds(response.retry_after)) return std::min(longest, *wish);
  const auto until = parse_http_date(response.retry_after);
  const auto from = parse_http_date(response.date);
  if (!until || !from) return seconds{0};
  return std::clamp<seconds>(*until - *from, seconds{0}, longest);
}

}  // namespace tally
