#include "spool/shared.hpp"

#include <fmt/format.h>

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
  if (findings.size() >= findings_max) return;
  const std::string place = "spool " + directory.path() + ": ";
  // An error of the directory's names it already.
  findings.push_back(text.starts_with(place) ? std::move(text) : place + text);
}

std::string points_in_words(std::uint64_t count) {
  return with_commas(count) + (count == 1 ? " point" : " points");
}

std::string expired_in_words(std::uint64_t points, std::chrono::milliseconds age_max) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(age_max);
  const std::string age =
      hours == age_max ? fmt::format("{} h", hours.count())
                       : about_time(std::chrono::duration_cast<std::chrono::seconds>(age_max));
  return fmt::format("dropped {} older than {} (spool.max_age)", points_in_words(points), age);
}

}  // namespace tally
