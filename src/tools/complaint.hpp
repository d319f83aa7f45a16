#pragma once
// How a tool says that something is wrong.

#include <ostream>

#include "tally/result.hpp"

namespace tally {

inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

/// One line for an operator; returns `status`, for `return complain(..)`.
inline int complain(std::ostream& err, const Error& error, int status) {
  err << "tallyd: " << error.message << '\n';
  return status;
}

}  // namespace tally
