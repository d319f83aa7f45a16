#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tally/config.hpp"

using namespace tally;
using namespace std::chrono_literals;

TEST_CASE("duration: a number and a unit are read") {
  struct Row {
    std::string_view text;
    std::chrono::milliseconds expected;
  };
  const std::vector<Row> rows = {
      {"0", 0ms},       {"0s", 0ms},    {"100ms", 100ms}, {"1s", 1s},       {"10s", 10s},
      {"1.5s", 1500ms}, {".5s", 500ms}, {"0.001s", 1ms},  {"90s", 90s},     {"5m", 5min},
      {"1h", 1h},       {"24h", 24h},   {"1d", 24h},      {"0.1d", 144min}, {"1.0ms", 1ms},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto duration = parse_duration(row.text);
    REQUIRE(duration);
    CHECK(duration.value() == row.expected);
  }
}

TEST_CASE("duration: what is none is refused, and the message says why") {
  struct Row {
    std::string_view text;
    std::string_view message;
  };
  const std::vector<Row> rows = {
      {"", R"("" is no duration: write a number and a unit, such as "10s")"},
      {"s", R"("s" is no duration: write a number and a unit, such as "10s")"},
      {" 1s", R"(" 1s" is no duration: write a number and a unit, such as "10s")"},
      {"inf", R"("inf" is no duration: write a number and a unit, such as "10s")"},
      {"nans", R"("nans" is no duration: write a number and a unit, such as "10s")"},
      {"10", R"("10" is no duration: its unit must be ms, s, m, h or d)"},
      {"10 s", R"("10 s" is no duration: its unit must be ms, s, m, h or d)"},
      {"10S", R"("10S" is no duration: its unit must be ms, s, m, h or d)"},
      {"1us", R"("1us" is no duration: its unit must be ms, s, m, h or d)"},
      {"1h30m", R"("1h30m" is no duration: its unit must be ms, s, m, h or d)"},
      {"1e3s", R"("1e3s" is no duration: its unit must be ms, s, m, h or d)"},
      {"-1s", R"("-1s" is no duration: it is negative)"},
      {"1.5ms", R"("1.5ms" is no duration: it is finer than a millisecond)"},
      {"99999999999999d", R"("99999999999999d" is no duration: it is too long)"},
      {"1\x1bs", R"("1\x1Bs" is no duration: its unit must be ms, s, m, h or d)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto duration = parse_duration(row.text);
    REQUIRE_FALSE(duration);
    CHECK(duration.error().message == row.message);
  }
}

TEST_CASE("duration: is printed in its largest whole unit, and read back the same") {
  CHECK(duration_to_string(0ms) == "0");
  CHECK(duration_to_string(1500ms) == "1500ms");
  CHECK(duration_to_string(90s) == "90s");
  CHECK(duration_to_string(5min) == "5m");
  CHECK(duration_to_string(1h) == "1h");
  CHECK(duration_to_string(48h) == "2d");
  for (std::int64_t ms = 0; ms < 400'000'000; ms = ms * 3 + 7) {
    CAPTURE(ms);
    const auto back = parse_duration(duration_to_string(std::chrono::milliseconds(ms)));
    REQUIRE(back);
    CHECK(back.value().count() == ms);
  }
}

TEST_CASE("size: a whole number with a binary or decimal unit is read") {
  struct Row {
    std::string_view text;
    std::uint64_t expected;
  };
  const std::vector<Row> rows = {
      {"0", 0},
      {"4096", 4096},
      {"1500B", 1500},
      {"64KiB", 65536},
      {"32MiB", 33554432},
      {"1GiB", 1073741824},
      {"10kB", 10000},
      {"10KB", 10000},
      {"10MB", 10'000'000},
      {"2GB", 2'000'000'000},
      {"18446744073709551615", UINT64_MAX},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto size = parse_size(row.text);
    REQUIRE(size);
    CHECK(size.value() == row.expected);
  }
}

TEST_CASE("size: what is none is refused, and the message says why") {
  struct Row {
    std::string_view text;
    std::string_view message;
  };
  const std::vector<Row> rows = {
      {"", R"("" is no size: write a whole number and a unit, such as "32MiB")"},
      {"MiB", R"("MiB" is no size: write a whole number and a unit, such as "32MiB")"},
      {"-1", R"("-1" is no size: write a whole number and a unit, such as "32MiB")"},
      {"1.5MiB", R"("1.5MiB" is no size: its unit must be B, KiB, MiB, GiB, kB, MB or GB)"},
      {"32 MiB", R"("32 MiB" is no size: its unit must be B, KiB, MiB, GiB, kB, MB or GB)"},
      {"32mib", R"("32mib" is no size: its unit must be B, KiB, MiB, GiB, kB, MB or GB)"},
      {"18446744073709551616", R"("18446744073709551616" is no size: it is too large)"},
      {"18446744073709551615KiB", R"("18446744073709551615KiB" is no size: it is too large)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto size = parse_size(row.text);
    REQUIRE_FALSE(size);
    CHECK(size.error().message == row.message);
  }
}

TEST_CASE("listen address: every form is read, and printed so that it reads back") {
  struct Row {
    std::string_view text;
    ListenAddress expected;
    std::string_view printed;
  };
  const std::vector<Row> rows = {
      {"127.0.0.1:8125", {"127.0.0.1", 8125}, "127.0.0.1:8125"},
      {"0.0.0.0:1", {"0.0.0.0", 1}, "0.0.0.0:1"},
      {"[::1]:8125", {"::1", 8125}, "[::1]:8125"},
      {"[::ffff:10.0.0.1]:65535", {"::ffff:10.0.0.1", 65535}, "[::ffff:10.0.0.1]:65535"},
      {"localhost:8125", {"localhost", 8125}, "localhost:8125"},
      {"*:8125", {"*", 8125}, "*:8125"},
      {":8125", {"*", 8125}, "*:8125"},
      {"127.0.0.1:0", {"127.0.0.1", 0}, "127.0.0.1:0"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto address = parse_listen_address(row.text);
    REQUIRE(address);
    CHECK(address.value() == row.expected);
    CHECK(to_string(address.value()) == row.printed);
    REQUIRE(parse_listen_address(row.printed));
    CHECK(parse_listen_address(row.printed).value() == row.expected);
  }
}

TEST_CASE("listen address: what is none is refused, and the message says why") {
  struct Row {
    std::string_view text;
    std::string_view why;
  };
  constexpr std::string_view form = R"(write host:port, such as "127.0.0.1:8125" or "[::1]:8125")";
  constexpr std::string_view host = "the host must be an IP address, localhost or *";
  constexpr std::string_view port = "the port must be a number from 0 to 65535";
  constexpr std::string_view brackets =
      R"(an IPv6 address stands in brackets, such as "[::1]:8125")";
  const std::vector<Row> rows = {
      {"", form},
      {"8125", form},
      {"127.0.0.1", form},
      {"[::1]", form},
      {"[::1", form},
      {"[::1]8125", form},
      {"[:8125", form},
      {"]:8125", host},
      {"[]:8125", host},
      {"[127.0.0.1]:8125", host},
      {"[::1%lo]:8125", host},
      {"example.org:8125", host},
      {"127.0.0.256:8125", host},
      {"127.0.0.1 :8125", host},
      {"**:8125", host},
      {"::1:8125", brackets},
      {":::8125", brackets},
      {"127.0.0.1:", port},
      {"127.0.0.1:x", port},
      {"127.0.0.1:-1", port},
      {"127.0.0.1:65536", port},
      {"127.0.0.1:81 ", port},
      {"127.0.0.1:8125/udp", port},
      {std::string_view("127.0.0.1\0x:8125", 16), host},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto address = parse_listen_address(row.text);
    REQUIRE_FALSE(address);
    CHECK(
        address.error().message.ends_with(" is no address to listen on: " + std::string(row.why)));
  }
}
