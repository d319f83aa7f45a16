#pragma once
// Where the daemon and its verbs read the wall clock. The pure code takes a WallTime.

#include <chrono>

#include "tally/time.hpp"

namespace tally {

inline WallTime wall_now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace tally
