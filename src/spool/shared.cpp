#include "spool/shared.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tally/text.hpp"

namespace tally {

std::uint64_t SpoolSettings::left_to_others(std::uint64_t disk_bytes) const {
  const double share = std::ceil(free_share_min * static_cast<double>(disk_bytes));
  return std::max(static_cast<std::uint64_t>(share), free_bytes_min);
}

SpoolShared::SpoolShared(SpoolSettings settings_, SpoolDirectory directory_)
    : settings(std::move(settings_)),
      segment_bytes(std::min(settings.segment_bytes, settings.bytes_max / 2)),
      directory(std::move(directory_)),
      next_segment(cursor.found().segment + 1) {}

void SpoolShared::say(std::string text) {
  constexpr std::size_t findings_max = 100;
  if (findings.size() < findings_max)
    findings.push_back("spool " + directory.path() + ": " + std::move(text));
}

std::string points_in_words(std::uint64_t count) {
  return with_commas(count) + (count == 1 ? " point" : " points");
}

}  // namespace tally
