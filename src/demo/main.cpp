// tallyd-demo: the command line, and nothing else.

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <cxxopts.hpp>
#include <iostream>

#include "demo/demo.hpp"

namespace {

constexpr int exit_runtime_failure = 1;
constexpr int exit_bad_command_line = 2;

cxxopts::Options known_options() {
  const tally::demo::DemoOptions defaults;
  cxxopts::Options options(
      "tallyd-demo", "A small HTTP service that counts and times its requests with StatsD.\n");
  // clang-format off
  options.add_options()
      ("listen", "serve HTTP here; port 0 takes a free one",
       cxxopts::value<std::string>()->default_value(defaults.listen), "HOST:PORT")
      ("statsd", "send metrics here by UDP",
       cxxopts::value<std::string>()->default_value(defaults.statsd), "HOST:PORT")
      ("load", "request itself so many times a second, 0 to 10000",
       cxxopts::value<unsigned>()->default_value("0"), "RATE")
      ("version", "print the version")
      ("h,help", "print this");
  // clang-format on
  return options;
}

int run(const cxxopts::ParseResult& given) {
  const tally::demo::DemoOptions options{.listen = given["listen"].as<std::string>(),
                                         .statsd = given["statsd"].as<std::string>(),
                                         .load = given["load"].as<unsigned>()};
  if (options.load > 10'000) {
    std::cerr << "tallyd-demo: --load: at most 10000 requests a second; see --help\n";
    return exit_bad_command_line;
  }
  spdlog::set_default_logger(spdlog::stderr_color_mt("tallyd-demo"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  if (const tally::Status failure = tally::demo::run_demo(options)) {
    spdlog::error("{}", failure->message);
    return exit_runtime_failure;
  }
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  cxxopts::Options options = known_options();
  try {  // cxxopts tells of a wrong command line in no other way
    const cxxopts::ParseResult given = options.parse(argc, argv);
    if (!given.unmatched().empty()) {
      std::cerr << "tallyd-demo: no arguments are taken besides options; see --help\n";
      return exit_bad_command_line;
    }
    if (given.count("help") > 0) {
      std::cout << options.help();
      return EXIT_SUCCESS;
    }
    if (given.count("version") > 0) {
      std::cout << "tallyd-demo " TALLYD_VERSION "\n";
      return EXIT_SUCCESS;
    }
    return run(given);
  } catch (const cxxopts::exceptions::exception& error) {
    std::cerr << "tallyd-demo: " << error.what() << "; see --help\n";
    return exit_bad_command_line;
  }
}
