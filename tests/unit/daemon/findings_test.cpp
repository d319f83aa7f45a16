#include "daemon/findings.hpp"

#include <doctest/doctest.h>

#include <sstream>

using namespace tally;
using Level = Finding::Level;

TEST_CASE("findings: each is one line, and the status is 1 only for what is to be mended") {
  std::ostringstream out;
  CHECK(report({{Level::well, "a", "x"}, {Level::note, "b", "y"}}, out) == 0);
  CHECK(report({{Level::mend, "c", "z"}, {Level::well, "d", "x"}}, out) == 1);
  CHECK(out.str() == "ok    a: x\nnote  b: y\nMEND  c: z\nok    d: x\n");
}

TEST_CASE("findings: as JSON they are one object, whatever bytes are in them") {
  struct Row {
    std::string_view name;
    std::vector<Finding> findings;
    int status;
    std::string_view json;
  };
  const std::vector<Row> rows = {
      {"none", {}, 0, "{\"findings\":[],\"well\":true}\n"},
      {"a note",
       {{Level::note, "s", "t"}},
       0,
       "{\"findings\":[{\"level\":\"note\",\"subject\":\"s\",\"text\":\"t\"}],\"well\":true}\n"},
      {"two",
       {{Level::well, "a\"b", "\n"}, {Level::mend, "\xff", ""}},
       1,
       "{\"findings\":[{\"level\":\"well\",\"subject\":\"a\\\"b\",\"text\":\"\\n\"},"
       "{\"level\":\"mend\",\"subject\":\"\xef\xbf\xbd\",\"text\":\"\"}],\"well\":false}\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    std::ostringstream out;
    CHECK(report(row.findings, out, ReportAs::json) == row.status);
    CHECK(out.str() == row.json);
  }
}
