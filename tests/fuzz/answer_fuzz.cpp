// Any answer to any payload over any API: the verdict keeps its promises, whatever a server or a
// proxy says.
//
//     API  status (2 bytes)  version 0xff X-Influxdb-Error 0xff Retry-After 0xff payload 0xff body
//
// 0xff separates the parts. The secret is in none of them, unless a part quotes the request.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "escapes.hpp"
#include "fuzz_target.hpp"
#include "tally/verdict.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

constexpr std::size_t header_bytes = 3;
constexpr std::size_t parts_max = 5;

struct Input {
  Destination to;
  Response response;
  Payload payload;
};

[[noreturn]] void fail(const char* promise, const Verdict& verdict) {
  std::fprintf(stderr, "%s: %s\n", promise, escape(verdict.message).c_str());
  std::abort();
}

std::vector<std::string> split_parts(std::string_view bytes) {
  std::vector<std::string> parts(1);
  for (const char c : bytes) {
    if (c == '\xff' && parts.size() < parts_max) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  parts.resize(parts_max);
  return parts;
}

Input read_input(std::string_view bytes) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  auto parts = split_parts(bytes.substr(header_bytes));
  Input input;
  input.to = {.url = "http://db:8086",
              .api = static_cast<Api>(byte(0) % 4),
              .api_is_fixed = byte(0) % 8 >= 4,
              .database = "metric"};
  input.response = {.status = byte(1) * 256 + byte(2),
                    .influxdb_version = std::move(parts[0]),
                    .influxdb_error = std::move(parts[1]),
                    .location = parts[4],
                    .retry_after = std::move(parts[2]),
                    .body = parts[4]};
  input.payload.body = std::move(parts[3]);
  if (!input.payload.body.ends_with('\n')) input.payload.body += '\n';
  input.payload.points = static_cast<std::uint32_t>(std::ranges::count(input.payload.body, '\n'));
  return input;
}

void check_message(const Verdict& verdict) {
  const auto is_printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  if (!std::ranges::all_of(verdict.message, is_printable)) fail("not one printable line", verdict);
  if (verdict.message.size() > 4'000) fail("a message without end", verdict);
}

void check_lines(const Verdict& verdict, const Payload& payload) {
  const auto& lines = verdict.refused_lines;
  if (!std::ranges::is_sorted(lines) || std::set(lines.begin(), lines.end()).size() != lines.size())
    fail("lines not ascending, once each", verdict);
  if (!lines.empty() && lines.back() >= payload.points) fail("a line that is not there", verdict);
  if (verdict.points_lost > payload.points) fail("more lost than there were", verdict);
  if (verdict.points_lost < lines.size()) fail("more lines than points", verdict);
}

void check_action(const Verdict& verdict, const Input& input) {
  const std::size_t lines = verdict.refused_lines.size();
  const bool loses = verdict.points_lost > 0;
  const bool is_silent = verdict.message.empty();
  switch (verdict.action) {
    case Action::written:
      if (loses == is_silent) fail("a loss without a word, or a word without a loss", verdict);
      break;
    case Action::keep:
    case Action::create_database:
      if (loses || is_silent) fail("kept, yet lost or silent", verdict);
      break;
    case Action::split:
      if (loses || input.payload.points < 2) fail("cannot be split", verdict);
      break;
    case Action::drop:
      if (lines != input.payload.points || verdict.points_lost != lines)
        fail("dropped, and a line is not named", verdict);
      break;
    case Action::without_lines:
      if (lines == 0 || lines >= input.payload.points || verdict.points_lost != lines)
        fail("no lines to take out, or none left", verdict);
      break;
    case Action::known_alone:
      if (is_silent || lines > 0) fail("a series limit without a word, or with lines", verdict);
      break;
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < header_bytes) return 0;
  const Input input = read_input({reinterpret_cast<const char*>(data), size});
  const Verdict verdict = judge(input.response, input.payload, input.to);
  check_message(verdict);
  check_lines(verdict, input.payload);
  check_action(verdict, input);
  if (verdict.retry_after.count() < 0 || verdict.retry_after.count() > 300)
    fail("a wish without bounds", verdict);
  check_message(judge_created(input.response, input.to));
  if (const auto server = identify(input.response)) {
    if (api_of(server->version) != server->api) fail("a server of another API", verdict);
  }
  return 0;
}
