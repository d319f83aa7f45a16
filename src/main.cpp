// tallyd: reads the command line and the configuration, and hands over to the verb.
//
// Exit status: 0 all well, 1 something failed, 2 the command line or the configuration is wrong.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "daemon/check.hpp"
#include "daemon/daemon.hpp"
#include "daemon/destinations.hpp"
#include "daemon/explain.hpp"
#include "daemon/sources.hpp"
#include "daemon/spool_verb.hpp"
#include "daemon/wall_clock.hpp"
#include "posix/memory.hpp"
#include "tools/capture.hpp"
#include "tools/grafana.hpp"
#include "tools/replay.hpp"
#include "tools/send.hpp"
#include "tools/tap.hpp"
#include "tools/top.hpp"

namespace tally {
namespace {

constexpr int usage_error = 2;

int complain(const std::string& message) {
  std::cerr << message << '\n';
  return usage_error;
}

int print(const std::string& text) {
  std::cout << text << std::flush;
  return std::cout ? 0 : 1;
}

int check(const Arguments& arguments, const LoadedConfig& loaded, const std::string& file_name) {
  const ReportAs as = arguments.has("json") ? ReportAs::json : ReportAs::text;
  if (arguments.has("running")) return report(find_running(loaded.config), std::cout, as);
  const std::string what = file_name.empty() ? "configuration" : file_name;
  std::vector<Finding> findings = {{Finding::Level::well, what, "all well"}};
  if (!arguments.has("offline"))
    std::ranges::move(find_problems(loaded), std::back_inserter(findings));
  return report(findings, std::cout, as);
}

int spool(const std::vector<std::string>& words, const Config& config) {
  const Result<SpoolAction> action = parse_spool_action(words.empty() ? "list" : words[0]);
  if (!action) return complain("tallyd: " + action.error().message);
  const std::string root = words.size() < 2 ? spool_root(config) : words[1];
  return run_spool({.action = action.value(), .root = root, .sinks = spools_of(config, root)},
                   wall_now(), std::cout, std::cerr);
}

int run_verb(const Options& options, const LoadedConfig& loaded, const std::string& file_name) {
  const Arguments& arguments = options.arguments;
  switch (options.verb) {
    case Verb::run:
      return run_daemon(loaded, options.log_level);
    case Verb::config:
      return print(config_to_toml(loaded));
    case Verb::check:
      return check(arguments, loaded, file_name);
    case Verb::explain:
      return run_explain(loaded.config, arguments.words[0], arguments.has("json"), std::cin,
                         std::cout);
    case Verb::spool:
      return spool(arguments.words, loaded.config);
    case Verb::send:
      return run_send(arguments, loaded.config, std::cin, std::cerr);
    case Verb::top:
      return run_top(arguments, loaded.config, std::cout, std::cerr);
    case Verb::tap:
      return run_tap(arguments, loaded.config, std::cout, std::cerr);
    case Verb::capture:
      return run_capture(arguments, loaded.config, std::cerr);
    case Verb::replay:
      return run_replay(arguments, loaded.config, std::cout, std::cerr);
    case Verb::grafana:
      return run_grafana(arguments, loaded.config, std::cout, std::cerr);
  }
  return usage_error;  // not reached: the switch is complete
}

int run(const std::vector<std::string>& arguments) {
  const Result<Options> options = parse_options(arguments);
  if (!options) return complain("tallyd: " + options.error().message);
  if (options.value().wants_help) return print(help_text(options.value().verb));
  if (options.value().wants_version) return print("tallyd " TALLYD_VERSION "\n");

  const Result<ConfigSources> sources =
      read_sources(options.value().config_file, options.value().sets, environ);
  if (!sources) return complain("tallyd: " + sources.error().message);
  // Without the program's name: editors jump to "file:line:column: message".
  const Result<LoadedConfig> loaded = load_config(sources.value());
  if (!loaded) return complain(loaded.error().message);
  return run_verb(options.value(), loaded.value(), sources.value().file_name);
}

}  // namespace
}  // namespace tally

int main(int argc, char** argv) {
  tally::keep_freed_memory();
  std::ios::sync_with_stdio(false);
  return tally::run(std::vector<std::string>(argv + (argc > 0), argv + argc));
}
