#include "http/stream_buffer.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

using tally::http::StreamBuffer;

TEST_CASE("stream buffer: takes pieces whole or not at all, and gives bytes in their order") {
  StreamBuffer buffer(10);
  CHECK(buffer.append("12345"));
  CHECK(buffer.append("67890"));
  CHECK_FALSE(buffer.append("x"));
  CHECK(buffer.append(""));
  char out[16];
  CHECK(buffer.take(out, 3) == 3);
  CHECK(std::string(out, 3) == "123");
  CHECK_FALSE(buffer.append("abcd"));
  CHECK(buffer.append("abc"));
  CHECK(buffer.take(out, 16) == 10);
  CHECK(std::string(out, 10) == "4567890abc");
  CHECK(buffer.take(out, 16) == 0);
}

TEST_CASE("stream buffer: what comes out is what went in, for any sizes") {
  std::minstd_rand dice(1);
  StreamBuffer buffer(1000);
  std::string in, out;
  char next = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string piece(dice() % 300, '\0');
    for (char& c : piece) c = next++;
    if (buffer.append(piece))
      in += piece;
    else
      next = static_cast<char>(next - static_cast<char>(piece.size()));
    char part[300];
    out.append(part, buffer.take(part, dice() % sizeof part));
    REQUIRE(buffer.size() == in.size() - out.size());
    REQUIRE(buffer.size() <= 1000);
    REQUIRE(buffer.room() == 1000 - buffer.size());
  }
  CHECK(in.starts_with(out));
  CHECK(out.size() > 100'000);
}
