#pragma once
// A destination of the configuration in the words of deliver/.

#include <string>
#include <vector>

#include "spool/spool.hpp"
#include "tally/api.hpp"
#include "tally/config.hpp"
#include "tally/result.hpp"

namespace tally {

Destination destination_of(const Config::Influxdb& from);

/// Reads the files with secrets; blocks as files do. The error names the file and the key.
Result<Credentials> read_credentials(const Config::Influxdb& from);

/// The spools of the configured destinations below `root`, in their order; none if it is "" or if
/// points go to the terminal.
std::vector<SpoolSettings> spools_of(const Config& config, const std::string& root);

}  // namespace tally
