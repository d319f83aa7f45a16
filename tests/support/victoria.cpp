#include "victoria.hpp"

#include <curl/curl.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "http_client.hpp"
#include "json_value.hpp"

namespace tally::testing {
namespace {

using namespace std::chrono_literals;

constexpr const char* path = "/usr/bin/victoria-metrics";

std::string url_encoded(const std::string& text) {
  char* encoded = curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size()));
  std::string result = encoded;
  curl_free(encoded);
  return result;
}

}  // namespace

bool VictoriaMetrics::is_installed() {
  return access(path, X_OK) == 0;
}

void VictoriaMetrics::start() {
  std::vector<std::string> arguments = {"-httpListenAddr=127.0.0.1:" + std::to_string(port()),
                                        "-storageDataPath=" + directory_.path() + "/data"};
  arguments.insert(arguments.end(), flags_.begin(), flags_.end());
  process_ = std::make_unique<Process>(Command{.path = path,
                                               .arguments = arguments,
                                               .environment = {{"HOME", directory_.path()}},
                                               .directory = directory_.path()});
  const bool is_up = eventually(
      30s, [this] { return http_get(url() + "/health").status == 200 || !process_->running(); });
  REQUIRE_MESSAGE((is_up && process_->running()), log());
}

void VictoriaMetrics::stop() {
  process_->signal(SIGTERM);
  REQUIRE(process_->wait(30s).has_value());
}

std::vector<VictoriaMetrics::Sample> VictoriaMetrics::samples(std::string_view metric) const {
  http_get(url() + "/internal/force_flush");  // else what is seconds old is not found
  const std::string match = "{__name__=\"" + std::string(metric) + "\"}";
  const HttpAnswer answer = http_get(
      url() + "/api/v1/export/csv?format=host,shard,__value__,__timestamp__:unix_ms&match[]=" +
      url_encoded(match));
  REQUIRE_MESSAGE(answer.status == 200, answer.body);
  std::vector<Sample> samples;
  std::istringstream lines(answer.body);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    Sample& sample = samples.emplace_back();
    std::string value, stamp;
    std::getline(cells, sample.host, ',');
    std::getline(cells, sample.shard, ',');
    std::getline(cells, value, ',');
    std::getline(cells, stamp, ',');
    sample.value = std::strtod(value.c_str(), nullptr);
    sample.stamp_ms = std::strtoll(stamp.c_str(), nullptr, 10);
  }
  return samples;
}

std::vector<double> VictoriaMetrics::asked(std::string_view metricsql) const {
  http_get(url() + "/internal/force_flush");
  // Without nocache it does not look at the newest 30 s.
  const HttpAnswer answer =
      http_get(url() + "/api/v1/query?nocache=1&query=" + url_encoded(std::string(metricsql)));
  REQUIRE_MESSAGE(answer.status == 200, answer.body);
  std::vector<double> values;
  const std::optional<JsonValue> answered = read_json(answer.body);
  REQUIRE_MESSAGE(answered, answer.body);
  for (const JsonValue& series : answered->member("data")->member("result")->items)
    values.push_back(std::strtod(series.member("value")->items.at(1).text.c_str(), nullptr));
  return values;
}

double VictoriaMetrics::sum(std::string_view metric) const {
  double sum = 0;
  for (const Sample& sample : samples(metric)) sum += sample.value;
  return sum;
}

}  // namespace tally::testing
