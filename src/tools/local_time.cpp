#include "tools/local_time.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <ctime>

namespace tally {

std::string time_of_day(double ms_since_1970) {
  constexpr double most = 4e14;  // of what localtime_r takes, and far enough
  if (!(ms_since_1970 >= 0 && ms_since_1970 < most)) return "--:--:--.---";
  const auto ms = static_cast<std::int64_t>(ms_since_1970);
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ms % 1000);
}

}  // namespace tally
