// Durations, sizes and addresses as the configuration writes them.

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "tally/config.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 5> duration_units = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

constexpr std::array<Unit, 8> size_units = {{{"B", 1},
                                             {"kB", 1000},
                                             {"KB", 1000},
                                             {"MB", 1'000'000},
                                             {"GB", 1'000'000'000},
                                             {"KiB", 1ULL << 10},
                                             {"MiB", 1ULL << 20},
                                             {"GiB", 1ULL << 30}}};

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units)
    if (unit.name == name) return &unit;
  return nullptr;
}

Error bad_duration(std::string_view text, std::string_view why) {
  return Error{quote(text, 60) + " is no duration: " + std::string(why)};
}

Error bad_size(std::string_view text, std::string_view why) {
  return Error{quote(text, 60) + " is no size: " + std::string(why)};
}

Error bad_address(std::string_view text, std::string_view why) {
  return Error{quote(text, 80) + " is no address to listen on: " + std::string(why)};
}

Result<std::uint16_t> parse_port(std::string_view text, std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
    return bad_address(text, "the port must be a number from 0 to 65535");
  return port;
}

bool is_literal(int family, std::string_view host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(family, std::string(host).c_str(), address.data()) == 1;
}

bool is_host(std::string_view host, bool in_brackets) {
  if (host.find('\0') != std::string_view::npos) return false;  // inet_pton would stop there
  if (in_brackets) return is_literal(AF_INET6, host);
  return host == "localhost" || host == "*" || is_literal(AF_INET, host);
}

}  // namespace

Result<milliseconds> parse_duration(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number))
    return bad_duration(text, "write a number and a unit, such as \"10s\"");
  if (std::signbit(number)) return bad_duration(text, "it is negative");
  const std::string_view name(rest, static_cast<std::size_t>(end - rest));
  if (name.empty() && number == 0) return milliseconds(0);
  const Unit* const unit = find_unit(duration_units, name);
  if (unit == nullptr) return bad_duration(text, "its unit must be ms, s, m, h or d");

  const double ms = number * static_cast<double>(unit->factor);
  if (ms > 1e15) return bad_duration(text, "it is too long");
  const double whole = std::round(ms);
  if (std::abs(ms - whole) > 1e-6) return bad_duration(text, "it is finer than a millisecond");
  return milliseconds(static_cast<std::int64_t>(whole));
}

std::string duration_to_string(milliseconds duration) {
  const auto ms = static_cast<std::uint64_t>(duration.count());
  if (ms == 0) return "0";
  const Unit* best = &duration_units.back();
  for (const Unit& unit : duration_units) {
    if (ms % unit.factor != 0) continue;
    best = &unit;
    break;
  }
  return std::to_string(ms / best->factor) + std::string(best->name);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range) return bad_size(text, "it is too large");
  if (error != std::errc())
    return bad_size(text, "write a whole number and a unit, such as \"32MiB\"");
  const std::string_view name(rest, static_cast<std::size_t>(end - rest));
  if (name.empty()) return number;
  const Unit* const unit = find_unit(size_units, name);
  if (unit == nullptr) return bad_size(text, "its unit must be B, KiB, MiB, GiB, kB, MB or GB");
  if (number > UINT64_MAX / unit->factor) return bad_size(text, "it is too large");
  return number * unit->factor;
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const bool in_brackets = text.starts_with('[');
  const bool closed = in_brackets && colon != std::string_view::npos && text[colon - 1] == ']';
  if (colon == std::string_view::npos || (in_brackets && !closed))
    return bad_address(text, "write host:port, such as \"127.0.0.1:8125\" or \"[::1]:8125\"");

  const Result<std::uint16_t> port = parse_port(text, text.substr(colon + 1));
  if (!port) return port.error();
  std::string_view host = text.substr(0, colon);
  if (in_brackets) host = host.substr(1, host.size() - 2);
  if (host.empty() && !in_brackets) host = "*";
  if (!in_brackets && host.find(':') != std::string_view::npos)
    return bad_address(text, "an IPv6 address stands in brackets, such as \"[::1]:8125\"");
  if (!is_host(host, in_brackets))
    return bad_address(text, "the host must be an IP address, localhost or *");
  return ListenAddress{std::string(host), port.value()};
}

std::string to_string(const ListenAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + address.host + "]" : address.host;
  return host + ":" + std::to_string(address.port);
}

bool is_loopback(const ListenAddress& address) {
  // The host is a literal if it is no word, so nothing else begins like this.
  return address.host == "localhost" || address.host == "::1" || address.host.starts_with("127.");
}

}  // namespace tally
