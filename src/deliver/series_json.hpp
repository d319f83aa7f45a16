#pragma once
// A payload as the JSON of InfluxDB 0.8. Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "tally/payload.hpp"

namespace tally {

struct SeriesJson {
  std::string text;
  std::vector<std::uint32_t>
      left_out;  ///< lines that `read_point` does not read, from 0, ascending
};

/// The body of `POST /db/<database>/series`. Its stamps are in the payload's precision, but for
/// nanoseconds, which 0.8 does not know: these become microseconds.
SeriesJson to_series_json(const Payload& payload);

}  // namespace tally
