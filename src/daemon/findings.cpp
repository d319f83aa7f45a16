#include "daemon/findings.hpp"

#include <algorithm>
#include <string_view>

#include "tally/text.hpp"

namespace tally {
namespace {

using Level = Finding::Level;

struct LevelWords {
  std::string_view mark;  ///< in front of a line
  std::string_view name;  ///< in JSON
};

LevelWords words_of(Level level) {
  switch (level) {
    case Level::well:
      return {"ok  ", "well"};
    case Level::note:
      return {"note", "note"};
    case Level::mend:
      return {"MEND", "mend"};
  }
  return {};  // not reached: the switch is complete
}

std::string to_json(const Finding& finding) {
  std::string out = "{\"level\":";
  append_json_string(out, words_of(finding.level).name);
  out += ",\"subject\":";
  append_json_string(out, finding.subject);
  out += ",\"text\":";
  append_json_string(out, finding.text);
  return out + '}';
}

void print_json(const std::vector<Finding>& findings, bool is_well, std::ostream& out) {
  out << "{\"findings\":[";
  for (const Finding& finding : findings)
    out << (&finding == &findings.front() ? "" : ",") << to_json(finding);
  out << "],\"well\":" << (is_well ? "true" : "false") << "}\n";
}

}  // namespace

int report(const std::vector<Finding>& findings, std::ostream& out, ReportAs as) {
  const bool is_well = std::ranges::none_of(
      findings, [](const Finding& finding) { return finding.level == Level::mend; });
  if (as == ReportAs::json) {
    print_json(findings, is_well, out);
  } else {
    for (const Finding& finding : findings)
      out << words_of(finding.level).mark << "  " << finding.line() << '\n';
  }
  out << std::flush;
  return is_well ? 0 : 1;
}

}  // namespace tally
