#include "daemon/destinations.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include "daemon/sources.hpp"
#include "deliver/url.hpp"

namespace tally {
namespace {

// Of where points go: https or a slash at the end make no other place.
std::uint64_t fingerprint_of(const Config::Influxdb& to) {
  std::string_view url = to.url;
  url.remove_prefix(std::min(url.find("://") + 3, url.size()));
  const std::string policy =
      to.org.empty() ? to.retention_policy : to.retention_policy + '\0' + to.org;
  return spool_fingerprint(without_end_slashes(url), to.database, policy);
}

SpoolSyncPolicy policy_of(Config::Spool::Sync sync) {
  switch (sync) {
    case Config::Spool::Sync::interval:
      return SpoolSyncPolicy::interval;
    case Config::Spool::Sync::always:
      return SpoolSyncPolicy::always;
    case Config::Spool::Sync::never:
      return SpoolSyncPolicy::never;
  }
  return SpoolSyncPolicy::interval;  // not reached: the switch is complete
}

}  // namespace

Destination destination_of(const Config::Influxdb& from) {
  return {.name = destination_name(from),
          .url = from.url,
          .api = from.api.value_or(Api::v1),
          .api_is_fixed = from.api.has_value(),
          .database = from.database,
          .retention_policy = from.retention_policy,
          .org = from.org,
          .username = from.username,
          .create_database = from.create_database};
}

Result<Credentials> read_credentials(const Config::Influxdb& from) {
  Credentials credentials{
      .username = from.username, .password = from.password, .token = from.token};
  for (const auto& [path, key, secret] :
       {std::tuple{&from.password_file, "influxdb.password_file", &credentials.password},
        std::tuple{&from.token_file, "influxdb.token_file", &credentials.token}}) {
    if (path->empty()) continue;
    auto read = read_secret(*path, key);
    if (!read) return read.error();
    *secret = std::move(read).value();
  }
  return credentials;
}

std::vector<SpoolSettings> spools_of(const Config& config, const std::string& root) {
  std::vector<SpoolSettings> spools;
  if (root.empty() || config.influxdb.front().url.empty()) return spools;
  for (const Config::Influxdb& to : config.influxdb) {
    const std::uint64_t fingerprint = fingerprint_of(to);
    spools.push_back(
        {.directory = spool_directory_of(root, destination_name(to), fingerprint),
         .fingerprint = fingerprint,
         .adopts = config.spool.adopt,
         .bytes_max = config.spool.max_bytes,
         .age_max = config.spool.max_age,
         .free_share_min = config.spool.min_free == 0 ? 0 : SpoolSettings{}.free_share_min,
         .free_bytes_min = config.spool.min_free,
         .sync = policy_of(config.spool.sync)});
  }
  return spools;
}

}  // namespace tally
