// Any bytes as a configuration file, and as one --set: it is read or refused, each mistake in one
// printable line that begins with its place; what was read is printed so that it reads back the
// same.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>

#include "fuzz_target.hpp"
#include "tally/config.hpp"

using namespace tally;

namespace {

[[noreturn]] void fail(const char* what, const std::string& text) {
  std::fprintf(stderr, "%s:\n%s\n", what, text.c_str());
  std::abort();
}

void check_message(const std::string& message) {
  constexpr std::ptrdiff_t lines_max = 11;  // the last says how many more there are
  const auto is_printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  std::istringstream lines(message + "\n");
  for (std::string line; std::getline(lines, line);) {
    const bool has_place = line.starts_with("fuzz.toml:") || line.starts_with("--set ") ||
                           line.starts_with("configuration: ") ||
                           (line.starts_with("and ") && line.ends_with(" more like these"));
    if (!has_place || !std::ranges::all_of(line, is_printable))
      fail("a message with a line that is no mistake's", message);
  }
  if (std::ranges::count(message, '\n') >= lines_max) fail("a message that is too long", message);
}

void check_round_trip(LoadedConfig loaded) {
  const std::string text = config_to_toml(loaded);
  const Result<Config> back = parse_config(text);
  if (!back) fail(back.error().message.c_str(), text);
  for (Config::Influxdb& each : loaded.config.influxdb) {
    each.password.clear();  // never printed
    each.token.clear();
  }
  if (back.value() != loaded.config) fail("read back, it is another configuration", text);
}

void check(const ConfigSources& sources) {
  Result<LoadedConfig> loaded = load_config(sources);
  if (loaded)
    check_round_trip(std::move(loaded).value());
  else
    check_message(loaded.error().message);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  ConfigSources file;
  file.file_name = "fuzz.toml";
  file.file_text = text;
  check(file);
  ConfigSources set;
  set.sets = {text};
  check(set);
  return 0;
}
