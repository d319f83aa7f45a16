#pragma once
// Times of an answer, by the clock on the wall here.

#include <string>

namespace tally {

/// "12:00:01.123" of milliseconds since 1970; "--:--:--.---" if that is no time.
std::string time_of_day(double ms_since_1970);

}  // namespace tally
