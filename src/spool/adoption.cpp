#include "spool/adoption.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "spool/directory.hpp"

namespace tally {
namespace {

/// "/var/lib/tallyd/spool/main-0123abcd" is that of "main".
std::string_view destination_in(std::string_view directory) {
  constexpr std::size_t fingerprint = 9;  // of spool_directory_of, with its '-'
  const std::string_view name = directory.substr(directory.rfind('/') + 1);
  return name.substr(0, name.size() - std::min(name.size(), fingerprint));
}

/// Behind all that is there, whatever became of it.
std::uint64_t next_number(const std::vector<std::string>& names) {
  std::uint64_t next = 1;
  for (const std::string& name : names) next = std::max(next, segment_number(name) + 1);
  return next;
}

// In case that it is not empty, the folder of the dead letters stays, and so does all around it.
void remove_remains(const SpoolDirectory& directory) {
  const bool has_letters = unlinkat(directory.fd(), "dead", AT_REMOVEDIR) != 0 && errno != ENOENT;
  const auto left = directory.names("seg-", "");
  if (has_letters || !left || !left.value().empty()) return;
  directory.remove("cursor");
  directory.remove("LOCK");
  rmdir(directory.path().c_str());
}

}  // namespace

std::optional<std::string> heir_of(const std::string& stranger,
                                   const std::vector<std::string>& in_use) {
  if (in_use.size() == 1) return in_use.front();
  const auto heir = std::ranges::find(in_use, destination_in(stranger), destination_in);
  if (heir == in_use.end()) return std::nullopt;
  return *heir;
}

Result<Adopted> adopt_spool(const std::string& from, const std::string& into) {
  const Result<SpoolDirectory> source = SpoolDirectory::open(from);
  if (!source) return source.error();
  const Result<SpoolDirectory> target = SpoolDirectory::open(into);
  if (!target) return target.error();
  const Result<std::vector<SegmentFile>> files = source.value().segments();
  if (!files) return files.error();
  const Result<std::vector<std::string>> taken = target.value().names("seg-", "");
  if (!taken) return taken.error();
  std::uint64_t number = next_number(taken.value());
  Adopted adopted;
  for (const SegmentFile& file : files.value()) {
    const int code = source.value().move_to(target.value(), file.name, segment_name(number++));
    if (code != 0) return source.value().error(file.name, "cannot be adopted", code);
    ++adopted.files;
    adopted.bytes += file.bytes;
  }
  remove_remains(source.value());
  return adopted;
}

}  // namespace tally
