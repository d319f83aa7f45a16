// cxxopts reads flags and words; which of them go together stands in verbs.cpp.

#include "cli/options.hpp"

// cxxopts would cut `--set listen.udp=["a","b"]` at its comma; an argument cannot hold a NUL.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#include <cxxopts.hpp>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "tally/text.hpp"

namespace tally {
namespace {

constexpr std::string_view words = "words";
constexpr std::string_view minus = "\xE2\x88\x92";  // U+2212

bool is_negative(std::string_view text, std::string_view sign) {
  constexpr std::string_view starts = "0123456789.";
  return text.starts_with(sign) && text.size() > sign.size() &&
         starts.find(text[sign.size()]) != std::string_view::npos;
}

/// cxxopts would take -3 for a flag. With the minus of typography it is a word; whoever types it
/// that way gets a negative number too.
std::string shield_number(std::string text) {
  if (is_negative(text, "-")) text.replace(0, 1, minus);
  return text;
}

std::string unshield_number(std::string text) {
  if (is_negative(text, minus)) text.replace(0, minus.size(), "-");
  return text;
}

cxxopts::Options known_options() {
  cxxopts::Options options("tallyd");
  for (const FlagRow& flag : all_flags()) {
    std::string names(flag.letter);
    if (!names.empty()) names += ',';
    names += flag.name;
    options.add_options()(
        names, "",
        flag.value.empty() ? cxxopts::value<bool>() : cxxopts::value<std::vector<std::string>>());
  }
  options.add_options()(std::string(words), "", cxxopts::value<std::vector<std::string>>());
  options.parse_positional(std::string(words));
  // So that unknown flags come back as a list, and can be compared with the known ones.
  options.allow_unrecognised_options();
  return options;
}

Error unknown_flag(const std::string& flag) {
  std::vector<std::string> known;
  for (const FlagRow& row : all_flags()) {
    known.push_back("--" + std::string(row.name));
    if (!row.letter.empty()) known.push_back("-" + std::string(row.letter));
  }
  const std::string name = flag.substr(0, flag.find('='));
  return Error{"unknown flag " + quote(name, 80) + did_you_mean(name, known)};
}

Result<Verb> parse_verb(const std::string& word) {
  std::vector<std::string_view> known;
  for (const VerbRow& row : all_verbs()) {
    if (row.name == word) return row.verb;
    known.push_back(row.name);
  }
  return Error{"unknown verb " + quote(word, 80) + did_you_mean(word, known)};
}

Arguments gather(const cxxopts::ParseResult& parsed) {
  Arguments arguments;
  for (const cxxopts::KeyValue& given : parsed.arguments()) {
    if (given.key() == words) {
      arguments.words.push_back(unshield_number(given.value()));
      continue;
    }
    const auto flag = std::ranges::find(all_flags(), given.key(), &FlagRow::name);
    if (!flag->value.empty())
      arguments.flags[given.key()].push_back(unshield_number(given.value()));
    else if (given.as<bool>())
      arguments.flags[given.key()].emplace_back();
  }
  return arguments;
}

/// The first word is the verb.
Status take_verb(Options& options) {
  std::vector<std::string>& given = options.arguments.words;
  if (given.empty()) return {};
  const Result<Verb> verb = parse_verb(given.front());
  if (!verb) return verb.error();
  options.verb = verb.value();
  given.erase(given.begin());
  return {};
}

/// What every verb takes.
void take_common_flags(Options& options) {
  auto& flags = options.arguments.flags;
  if (options.arguments.has("config")) options.config_file = options.arguments.value("config");
  options.sets = options.arguments.values("set");
  options.log_level = options.arguments.value("log-level");
  if (!options.log_level.empty()) options.sets.push_back("log.level=" + options.log_level);
  for (const FlagRow& flag : all_flags())
    if (takes(row_of(Verb::run), flag.name)) flags.erase(std::string(flag.name));
}

Status check_words(const VerbRow& row, const std::vector<std::string>& given) {
  if (given.size() < row.words_min) return Error{std::string(row.too_few)};
  if (given.size() > row.words_max)
    return Error{"one word too many: " + quote(given[row.words_max], 80) +
                 std::string(row.too_many)};
  return {};
}

Error not_of_this_verb(const std::string& flag) {
  std::string owners;
  for (const VerbRow& row : all_verbs())
    if (takes(row, flag))
      owners += (owners.empty() ? "" : ", ") + ("tallyd " + std::string(row.name));
  return Error{"--" + flag + " belongs to " + owners};
}

Status check_flags(const VerbRow& row, const Arguments& arguments) {
  for (const auto& [flag, values] : arguments.flags)
    if (!takes(row, flag)) return not_of_this_verb(flag);
  std::string_view first;
  for (const std::string_view flag : split_names(row.one_of)) {
    if (!arguments.has(flag)) continue;
    if (!first.empty())
      return Error{"--" + std::string(first) + " and --" + std::string(flag) +
                   " exclude each other"};
    first = flag;
  }
  return {};
}

Result<Options> read(const cxxopts::ParseResult& parsed) {
  Options options{.arguments = gather(parsed)};
  options.wants_help = options.arguments.has("help");
  options.wants_version = options.arguments.has("version");
  const Status no_verb = take_verb(options);
  if (options.wants_help || options.wants_version) {
    options.arguments = {};
    return options;
  }
  if (!parsed.unmatched().empty()) return unknown_flag(parsed.unmatched().front());
  if (no_verb) return *no_verb;
  take_common_flags(options);
  const VerbRow& row = row_of(options.verb);
  if (Status error = check_words(row, options.arguments.words)) return *error;
  if (Status error = check_flags(row, options.arguments)) return *error;
  return options;
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  std::vector<std::string> shielded;
  std::ranges::transform(arguments, std::back_inserter(shielded), shield_number);
  std::vector<const char*> argv = {"tallyd"};
  for (const std::string& argument : shielded) argv.push_back(argument.c_str());
  cxxopts::Options known = known_options();
  try {
    return read(known.parse(static_cast<int>(argv.size()), argv.data()));
  } catch (const cxxopts::exceptions::exception& error) {
    return Error{std::string(error.what()) + "; see tallyd --help"};
  }
}

}  // namespace tally
