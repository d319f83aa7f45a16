#pragma once
// What tallyd can be told to do: a row a verb, with its words and flags, and the help.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tally {

enum class Verb : std::uint8_t {
  run,
  config,
  check,
  explain,
  spool,
  send,
  top,
  tap,
  capture,
  replay,
  grafana
};

struct FlagRow {
  std::string_view name;
  std::string_view value = {};  ///< what stands behind it, as the help calls it; "" if nothing does
  std::string_view letter = {};  ///< short form
};

struct VerbRow {
  Verb verb;
  std::string_view name;
  std::string_view flags = {};  ///< its own, names with a space between
  std::size_t words_min = 0;    ///< behind the verb
  std::size_t words_max = 0;
  std::string_view too_few = {};   ///< the error when there are less
  std::string_view too_many = {};  ///< added to the error when there are more
  std::string_view one_of = {};    ///< flags of which no two go together
};

std::span<const VerbRow> all_verbs();
const VerbRow& row_of(Verb verb);

std::span<const FlagRow> all_flags();                    ///< those of every verb come first
bool takes(const VerbRow& verb, std::string_view flag);  ///< its own flag, or one of every verb

/// The names in a row's list.
std::vector<std::string_view> split_names(std::string_view names);

/// What --help prints: of `run` an overview for someone who sees tallyd for the first time.
std::string help_text(Verb verb);

}  // namespace tally
