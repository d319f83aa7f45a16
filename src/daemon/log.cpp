#include "log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tally {

Result<std::shared_ptr<spdlog::logger>> make_logger(const std::string& level) {
  const spdlog::level::level_enum parsed = spdlog::level::from_str(level);
  // from_str answers "off" to words it does not know.
  if (parsed == spdlog::level::off && level != "off") {
    return Error{"log level \"" + level + "\": it is one of trace debug info warning error off"};
  }
  auto logger =
      std::make_shared<spdlog::logger>("tallyd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(parsed);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

}  // namespace tally
