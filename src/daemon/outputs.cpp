#include "daemon/outputs.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "daemon/sources.hpp"
#include "deliver/backlog.hpp"
#include "deliver/influx_writer.hpp"
#include "deliver/terminal_output.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

WallTime wall_now() {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
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

Result<InfluxSettings> influx_settings(const Config& config, const Config::Influxdb& from) {
  Result<Credentials> credentials = read_credentials(from);
  if (!credentials) return credentials.error();
  InfluxSettings settings{.destination = destination_of(from),
                          .credentials = std::move(credentials).value(),
                          .timeout = from.timeout,
                          .gzip = from.gzip,
                          .ca_file = from.ca_file,
                          .proxy = from.proxy,
                          .reload_credentials = {},
                          .spools_always = config.spool.when == Config::Spool::When::always,
                          .series_max = config.limits.series};
  if (!from.password_file.empty() || !from.token_file.empty()) {
    settings.reload_credentials = [from] {
      Result<Credentials> changed = read_credentials(from);
      return changed ? std::move(changed).value() : Credentials{};
    };
  }
  return settings;
}

bool has_segments(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    if (entry.path().extension() == ".lp") return true;
  return false;
}

// Of where points go: https or a slash at the end make no other place.
std::uint64_t fingerprint_of(const Config::Influxdb& to) {
  std::string_view url = to.url;
  url.remove_prefix(std::min(url.find("://") + 3, url.size()));
  while (url.ends_with('/')) url.remove_suffix(1);
  const std::string policy =
      to.org.empty() ? to.retention_policy : to.retention_policy + '\0' + to.org;
  return spool_fingerprint(url, to.database, policy);
}

// Spools of destinations that the config does not name any more: nobody sends what is in them.
void warn_of_strangers(const std::string& root, const std::vector<SpoolSettings>& own,
                       spdlog::logger& log) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    const std::string path = entry.path();
    const bool is_own =
        std::ranges::any_of(own, [&](const SpoolSettings& each) { return each.directory == path; });
    if (is_own || !has_segments(path)) continue;
    log.warn(
        "{} holds points of a destination that the configuration does not name any more: they are "
        "left there; send them with: tallyd spool cat, or name the destination again",
        quote(path));
  }
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

std::vector<SpoolSettings> spools_of(const Config& config, const std::string& root) {
  std::vector<SpoolSettings> spools;
  if (root.empty() || config.influxdb.front().url.empty()) return spools;
  for (const Config::Influxdb& to : config.influxdb) {
    const std::uint64_t fingerprint = fingerprint_of(to);
    spools.push_back(
        {.directory = spool_directory_of(root, destination_name(to), fingerprint),
         .fingerprint = fingerprint,
         .bytes_max = config.spool.max_bytes,
         .age_max = config.spool.max_age,
         .free_share_min = config.spool.min_free == 0 ? 0 : SpoolSettings{}.free_share_min,
         .free_bytes_min = config.spool.min_free,
         .sync = policy_of(config.spool.sync)});
  }
  return spools;
}

Status Outputs::open(const Config& config) {
  if (config.influxdb.front().url.empty()) {
    is_terminal_ = true;
    names_.emplace_back();
    outputs_.push_back(std::make_unique<TerminalOutput>(loop_, STDOUT_FILENO, OutboxLimits{}));
    log_.info("ready: windows of {} go to standard output (influxdb.url is empty)",
              duration_to_string(config.flush.interval));
    return std::nullopt;
  }
  const std::string root = spool_root(config);
  const std::vector<SpoolSettings> spools = spools_of(config, root);
  if (!root.empty()) warn_of_strangers(root, spools, log_);
  for (std::size_t i = 0; i < config.influxdb.size(); ++i) {
    if (Status error = open_influxdb(config, i, spools.empty() ? nullptr : &spools[i]))
      return error;
  }
  return std::nullopt;
}

Status Outputs::open_influxdb(const Config& config, std::size_t index, const SpoolSettings* spool) {
  const Config::Influxdb& to = config.influxdb[index];
  Result<InfluxSettings> settings = influx_settings(config, to);
  if (!settings) return settings.error();
  std::unique_ptr<Backlog> backlog;
  if (spool != nullptr) {
    Result<std::unique_ptr<Backlog>> opened = Backlog::open(loop_, *spool, wall_now, log_);
    if (opened) {
      backlog = std::move(opened).value();
    } else if (opened.error().code == EWOULDBLOCK) {
      return opened.error();
    } else {
      log_.error("{}; points for {} wait in memory only, and an end of tallyd loses them",
                 opened.error().message, to.url);
    }
  }
  log_.info("ready: windows of {} go to {} database {}, and wait {}",
            duration_to_string(config.flush.interval), to.url, quote(to.database),
            backlog ? "on disk in " + quote(spool->directory) + " while it is away"
                    : "in memory while it is away (see spool.directory)");
  names_.push_back(destination_name(to));
  outputs_.push_back(std::make_unique<InfluxWriter>(loop_, std::move(settings).value(),
                                                    OutboxLimits{}, log_, std::move(backlog)));
  return std::nullopt;
}

void Outputs::push(Payload payload) {
  for (std::size_t i = 1; i < outputs_.size(); ++i) outputs_[i]->push(payload);
  outputs_.front()->push(std::move(payload));
}

void Outputs::drain(milliseconds within, std::function<void()> done) {
  draining_ = outputs_.size();
  for (const auto& output : outputs_) {
    output->drain(within, [this, done] {
      if (--draining_ == 0) done();
    });
  }
}

std::vector<DeliveryCounts> Outputs::counts() const {
  std::vector<DeliveryCounts> counts;
  for (const auto& output : outputs_) counts.push_back(output->counts());
  return counts;
}

std::vector<std::size_t> Outputs::memory_bytes() const {
  std::vector<std::size_t> bytes;
  for (const auto& output : outputs_) bytes.push_back(output->bytes());
  return bytes;
}

std::vector<std::uint64_t> Outputs::disk_bytes() const {
  std::vector<std::uint64_t> bytes;
  for (const auto& output : outputs_) bytes.push_back(output->disk_bytes());
  return bytes;
}

}  // namespace tally
