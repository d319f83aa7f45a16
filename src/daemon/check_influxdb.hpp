#pragma once
// tallyd check, the part that talks with databases.

#include <vector>

#include "daemon/findings.hpp"
#include "tally/config.hpp"

namespace tally {

/// Asks a destination, with a url that is not empty: does it answer, who is it, do the clocks
/// agree, would it take points; of InfluxDB 1.x also whether types of fields conflict and how many
/// series there may still be. Changes nothing there. Blocks for at most 5 s a request, and asks no
/// further once there is no answer. No secret is in what it says.
std::vector<Finding> find_influxdb_problems(const Config& config, const Config::Influxdb& influxdb);

}  // namespace tally
