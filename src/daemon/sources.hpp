#pragma once
// Where the configuration comes from: a file, the environment, and files with secrets.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tally/config.hpp"
#include "tally/result.hpp"

namespace tally {

inline constexpr std::string_view default_config_file = "/etc/tallyd/tallyd.toml";

/// Reads the config file and picks the TALLYD_ variables. Without a `file` the default one is read
/// if it exists; a named one that is missing is an error, as is one over 1 MiB.
///
/// `environment` is an array of "NAME=value" that a null pointer ends, as `environ`.
Result<ConfigSources> read_sources(const std::optional<std::string>& file,
                                   std::vector<std::string> sets, const char* const* environment);

/// The text of a file that holds a password or a token, without one line end at its end. Empty,
/// missing and larger than 4 KiB are errors; they name the `key` that names the file. Blocks as a
/// file does.
Result<std::string> read_secret(const std::string& path,
                                std::string_view key = "influxdb.password_file");

/// A line for the operator if a password or a token stands in a config file that everyone can read.
std::optional<std::string> exposed_password(const LoadedConfig& loaded);

/// Where spools are: spool.directory, else `spool` in the first directory of $STATE_DIRECTORY; ""
/// if there is neither, so that nothing is kept on disk.
std::string spool_root(const Config& config);

/// What this host calls itself, fit for a tag: bytes that no tag can hold are '_'.
std::string host_name();

/// The static tags as they are written: "auto" of the tag host is this host's name (bytes that no
/// tag can hold become '_'), and a tag without a value is left out.
std::vector<StaticTag> effective_tags(const Config& config);

}  // namespace tally
