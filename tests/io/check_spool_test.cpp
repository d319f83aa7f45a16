// What `tallyd check` says of directories that are there, missing, or not for us.

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/check_spool.hpp"
#include "process.hpp"

using namespace tally;
using testing::TemporaryDirectory;
using Level = Finding::Level;

namespace {

/// What is said of the directory; of the disk it depends on the machine.
Finding first(const std::string& directory) {
  return find_spool_problems({{.directory = directory}}).front();
}

}  // namespace

TEST_CASE("check spool: without one points wait in memory, and that is noted") {
  const auto findings = find_spool_problems({});
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].level == Level::note);
  CHECK(findings[0].text.find("set spool.directory") != std::string::npos);
}

TEST_CASE("check spool: a directory that can be made is not made") {
  const TemporaryDirectory directory;
  for (const std::string& path : {directory.path() + "/a", directory.path() + "/a/b/c"}) {
    CHECK(first(path).line() == "spool " + path + ": can be made");
    CHECK(first(path).level == Level::well);
  }
  CHECK(access((directory.path() + "/a").c_str(), F_OK) != 0);
}

TEST_CASE("check spool: what waits is counted while the spool is in use") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  const WallTime now{std::chrono::seconds(1'700'000'000)};
  const auto spool =
      Spool::open({.directory = path, .free_share_min = 0, .free_bytes_min = 0}, now);
  REQUIRE(spool);
  CHECK(first(path).text == "can be used, and nothing waits in it");
  for (const auto age : {std::chrono::seconds(0), std::chrono::seconds(60)})
    REQUIRE_FALSE(
        spool.value()->put({.body = "a v=1\nb v=1\n", .points = 2, .window = now - age}, now));
  const Finding finding = first(path);
  CHECK(finding.level == Level::note);
  CHECK(finding.text ==
        "4 points wait in it, of 2023-11-14 22:12:20 to 22:13:20 UTC; see tallyd spool");
}

TEST_CASE("check spool: a directory that is not for us is to be mended") {
  const TemporaryDirectory directory;
  struct Row {
    std::string_view name, path, says;
    std::function<void(const std::string&)> spoil;
  };
  const std::vector<Row> rows = {
      {"others may write", "/w", "others may write to it",
       [](const std::string& path) {
         REQUIRE(mkdir(path.c_str(), 0700) == 0);
         REQUIRE(chmod(path.c_str(), 0777) == 0);
       }},
      {"others may write above", "/w/s", "others may write to it", [](const std::string&) {}},
      {"a symbolic link", "/l", "symbolic link",
       [](const std::string& path) { REQUIRE(symlink("/tmp", path.c_str()) == 0); }},
      {"a file", "/f", "Not a directory",
       [&](const std::string&) { directory.write("f", "kept"); }},
      {"below a file", "/f/a/b", "Not a directory", [](const std::string&) {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::string path = directory.path() + std::string(row.path);
    row.spoil(path);
    const Finding finding = first(path);
    CHECK(finding.level == Level::mend);
    CHECK_MESSAGE(finding.text.find(row.says) != std::string::npos, finding.line());
  }
}
