#include "daemon/spool_verb.hpp"

#include <fmt/format.h>

#include <array>
#include <ostream>
#include <string_view>
#include <utility>

#include "cli/arguments.hpp"
#include "deliver/body.hpp"
#include "spool/dead_letters.hpp"
#include "spool/report.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

constexpr std::size_t retry_lines_max = 5000;
constexpr std::size_t retry_bytes_max = 1 << 20;

std::string describe(const SegmentReport& segment) {
  const SegmentSurvey& survey = segment.survey;
  std::string text = fmt::format("  {}  {}, ", segment.name, as_size(segment.bytes));
  if (segment.version == 0) return text + "no segment any more";
  if (segment.version != spool_version)
    return text + fmt::format("of version {}, for another tallyd", segment.version);
  if (survey.records == 0) return text + "nothing waits";
  text += fmt::format("{} points in {} records, {}", with_commas(survey.points),
                      with_commas(survey.records), range_in_words(survey.oldest, survey.newest));
  if (survey.damaged_records > 0)
    text += fmt::format("; about {} points in {} records are damaged",
                        with_commas(survey.damaged_points), with_commas(survey.damaged_records));
  return text;
}

Status list(const std::string& directory, std::ostream& out) {
  const auto segments = look_at_spool(directory);
  if (!segments) return segments.error();
  const auto letters = read_dead_letters(directory);
  if (!letters) return letters.error();
  std::uint64_t points = 0;
  for (const SegmentReport& segment : segments.value()) points += segment.survey.points;
  out << fmt::format("{}: {} points wait, {} dead letters\n", directory, with_commas(points),
                     with_commas(letters.value().size()));
  for (const SegmentReport& segment : segments.value()) out << describe(segment) << '\n';
  return {};
}

/// What turns a stamp into nanoseconds when it stands behind it: then payloads of all precisions
/// can go into one request, and without a parameter.
std::string_view zeros_of(Precision precision) {
  constexpr std::string_view zeros = "000000000";
  switch (precision) {
    case Precision::seconds:
      return zeros;
    case Precision::milliseconds:
      return zeros.substr(0, 6);
    case Precision::nanoseconds:
      break;
  }
  return "";
}

Status cat(const std::string& directory, std::ostream& out) {
  const auto print = [&](const Payload& payload) {
    for_each_line(payload.body, [&](std::string_view line) {
      out << line << zeros_of(payload.precision) << '\n';
    });
  };
  const auto segments = look_at_spool(directory, print);
  if (!segments) return segments.error();
  return {};
}

Status print_dead(const std::string& directory, std::ostream& out) {
  const auto letters = read_dead_letters(directory);
  if (!letters) return letters.error();
  for (const DeadLetter& letter : letters.value()) out << to_tsv(letter);
  return {};
}

/// By the length of the stamp, which tells from 2001 to 5138.
Precision precision_of(std::string_view line) {
  const std::size_t digits = line.size() - (line.find_last_of(' ') + 1);
  if (digits >= 17) return Precision::nanoseconds;
  return digits >= 12 ? Precision::milliseconds : Precision::seconds;
}

/// Letters of one precision that stand together become one payload. Its window is now, which counts
/// for their age in the spool only: the lines have stamps of their own.
std::vector<Payload> payloads_of(const std::vector<DeadLetter>& letters, WallTime now) {
  std::vector<Payload> payloads;
  for (const DeadLetter& letter : letters) {
    const Precision precision = precision_of(letter.line);
    const bool goes_on = !payloads.empty() && payloads.back().precision == precision &&
                         payloads.back().points < retry_lines_max &&
                         payloads.back().body.size() < retry_bytes_max;
    if (!goes_on) payloads.push_back({.precision = precision, .window = now});
    payloads.back().body += letter.line + "\n";
    ++payloads.back().points;
  }
  return payloads;
}

Status retry_dead(const SpoolSettings& sink, WallTime now, std::ostream& out) {
  const auto letters = read_dead_letters(sink.directory);
  if (!letters) return letters.error();
  if (letters.value().empty()) return {};
  SpoolSettings settings = sink;
  settings.sync = SpoolSyncPolicy::always;  // before the letters are deleted
  const auto spool = Spool::open(std::move(settings), now);
  if (!spool) return spool.error();
  for (const Payload& payload : payloads_of(letters.value(), now)) {
    if (Status failed = spool.value()->put(payload, now)) return failed;
  }
  if (Status failed = remove_dead_letters(sink.directory)) return failed;
  out << fmt::format("{}: {} dead letters wait again; start tallyd to send them\n", sink.directory,
                     with_commas(letters.value().size()));
  return {};
}

Status look(SpoolAction action, const std::string& directory, std::ostream& out) {
  switch (action) {
    case SpoolAction::list:
      return list(directory, out);
    case SpoolAction::cat:
      return cat(directory, out);
    case SpoolAction::dead:
      return print_dead(directory, out);
    case SpoolAction::retry_dead:
      break;
  }
  return {};
}

}  // namespace

Result<SpoolAction> parse_spool_action(std::string_view word) {
  constexpr std::array<std::string_view, 4> names = {"list", "cat", "dead", "retry-dead"};
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == word) return static_cast<SpoolAction>(i);
  return Error{"tallyd spool cannot " + quote(word, 80) + did_you_mean(word, names)};
}

int run_spool(const SpoolCommand& command, WallTime now, std::ostream& out, std::ostream& err) {
  if (command.root.empty()) {
    err << "tallyd: there is no spool: name its directory, or set STATE_DIRECTORY\n";
    return 1;
  }
  bool is_well = true;
  const auto report = [&](const Status& failed) {
    if (!failed) return;
    is_well = false;
    err << "tallyd: " << failed->message << '\n';
  };
  if (command.action == SpoolAction::retry_dead) {
    for (const SpoolSettings& sink : command.sinks) report(retry_dead(sink, now, out));
  } else {
    for (const std::string& directory : spools_below(command.root))
      report(look(command.action, directory, out));
  }
  return is_well && out.flush() ? 0 : 1;
}

}  // namespace tally
