#include "daemon/outputs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "daemon/destinations.hpp"
#include "daemon/sources.hpp"
#include "daemon/wall_clock.hpp"
#include "deliver/influx_writer.hpp"
#include "deliver/terminal_output.hpp"
#include "spool/adoption.hpp"
#include "spool/backlog.hpp"
#include "spool/report.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using std::chrono::milliseconds;

Result<InfluxSettings> influx_settings(const Config& config, const Config::Influxdb& from) {
  Result<Credentials> credentials = read_credentials(from);
  if (!credentials) return credentials.error();
  InfluxSettings settings{.server = {.destination = destination_of(from),
                                     .credentials = std::move(credentials).value(),
                                     .timeout = from.timeout,
                                     .gzip = from.gzip,
                                     .ca_file = from.ca_file,
                                     .proxy = from.proxy,
                                     .reload_credentials = {}},
                          .spools_always = config.spool.when == Config::Spool::When::always,
                          .series_max = config.limits.series};
  // Then log lines need not tell whom they are about.
  if (config.influxdb.size() == 1) settings.server.destination.name.clear();
  if (!from.password_file.empty() || !from.token_file.empty()) {
    settings.server.reload_credentials = [from] {
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

// Spools of destinations that the config does not name any more: nobody sends what is in them.
std::vector<std::string> strangers_below(const std::string& root,
                                         const std::vector<std::string>& own) {
  std::vector<std::string> strangers = spools_below(root);
  std::erase_if(strangers, [&](const std::string& path) {
    return std::ranges::find(own, path) != own.end() || !has_segments(path);
  });
  return strangers;
}

void settle_stranger(const std::string& path, const std::optional<std::string>& heir,
                     spdlog::logger& log) {
  if (!heir) {
    log.warn(
        "{} holds points of a destination that the configuration does not name any more: they are "
        "left there; name it again, or set spool.adopt = true to send them to the only destination "
        "or to one of the same name",
        quote(path));
    return;
  }
  const Result<Adopted> adopted = adopt_spool(path, *heir);
  if (!adopted) {
    log.error("{}; its points wait there until the next start", adopted.error().message);
    return;
  }
  log.info(
      "{} held points of a destination that is not configured any more: its {} files ({}) are "
      "now in {} (spool.adopt)",
      quote(path), with_commas(adopted.value().files), about_size(adopted.value().bytes),
      quote(*heir));
}

void settle_strangers(const std::string& root, const std::vector<SpoolSettings>& spools,
                      spdlog::logger& log) {
  std::vector<std::string> own;
  for (const SpoolSettings& spool : spools) own.push_back(spool.directory);
  for (const std::string& path : strangers_below(root, own))
    settle_stranger(path, spools.front().adopts ? heir_of(path, own) : std::nullopt, log);
}

}  // namespace

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
  if (!spools.empty()) settle_strangers(root, spools, log_);
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
                 opened.error().message,
                 config.influxdb.size() == 1 ? to.url : destination_name(to));
    }
  }
  const std::string called =
      config.influxdb.size() == 1 ? "" : fmt::format(" ({})", destination_name(to));
  log_.info("ready: windows of {} go to {} database {}{}, and wait {}",
            duration_to_string(config.flush.interval), to.url, quote(to.database), called,
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

std::vector<DestinationState> Outputs::states() const {
  std::vector<DestinationState> states;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    states.push_back(outputs_[i]->state(wall_now()));
    states.back().name = names_[i];
  }
  return states;
}

}  // namespace tally
