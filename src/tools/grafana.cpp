#include "tools/grafana.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tally/text.hpp"
#include "tools/complaint.hpp"
#include "tools/dashboard.hpp"
#include "tools/json_view.hpp"
#include "tools/web.hpp"

namespace tally {
namespace {

constexpr std::size_t page_rows = 1000;  // the most that is answered
constexpr std::size_t pages_max = 20;

Result<Json> ask(const Site& site, std::string_view target) {
  const Result<std::string> body = fetch(site, target);
  if (!body) return body.error();
  return json_of({.status = 200, .body = body.value()}, site);
}

/// The configuration of the tallyd that was asked, which need not be ours.
Result<Config> ask_for_config(const Site& site) {
  const Result<Json> answer = ask(site, "/api/v1/config");
  if (!answer) return answer.error();
  Result<Config> config = parse_config(JsonView(answer.value()).text("config"), site.url);
  if (config) return config;
  return Error{fmt::format("the tallyd at {} is of another version than this one: {}", site.url,
                           config.error().message)};
}

struct Seen {
  std::vector<Metric> metrics;  ///< the busiest first, each once
  bool is_all = true;
};

/// Of the page; whether it was a full one.
bool take_metrics(const JsonView& answer, std::set<Metric>& known, Seen& seen) {
  const std::vector<JsonView> rows = answer.at("series").items();
  for (const JsonView& row : rows) {
    Metric metric{Kind::counter, std::string(row.text("name"))};
    std::size_t kind = 0;
    while (kind < value_kind_count && to_string(static_cast<Kind>(kind)) != row.text("kind"))
      ++kind;
    if (kind == value_kind_count || is_own_name(metric.name)) continue;
    metric.kind = static_cast<Kind>(kind);
    if (known.insert(metric).second) seen.metrics.push_back(std::move(metric));
  }
  return rows.size() == page_rows;
}

Result<Seen> ask_for_metrics(const Site& site) {
  Seen seen;
  std::set<Metric> known;
  for (std::size_t page = 0; page < pages_max; ++page) {
    const Result<Json> answer = ask(site, fmt::format("/api/v1/series?sort=rate&limit={}&offset={}",
                                                      page_rows, page * page_rows));
    if (!answer) return answer.error();
    if (!take_metrics(JsonView(answer.value()), known, seen)) return seen;
  }
  seen.is_all = false;
  return seen;
}

QueryLanguage language_of(std::string_view api, std::string_view server) {
  if (server.find("VictoriaMetrics") != std::string_view::npos) return QueryLanguage::metricsql;
  if (api == "2") return QueryLanguage::flux;
  return api == "3" ? QueryLanguage::sql : QueryLanguage::influxql;
}

/// What suits the first destination, as far as it was found out.
Result<QueryLanguage> ask_for_language(const Site& site) {
  const Result<Json> ledger = ask(site, "/api/v1/ledger");
  if (!ledger) return ledger.error();
  const auto destinations = JsonView(ledger.value()).at("destinations").items();
  if (destinations.empty()) return QueryLanguage::influxql;
  return language_of(destinations[0].text("api"), destinations[0].text("server"));
}

QueryContext context_of(const Config& config, QueryLanguage language) {
  const Config::Influxdb& destination = config.influxdb.front();
  const bool has_policy = !destination.retention_policy.empty();
  return {.language = language,
          .naming = {.prefix = config.output.prefix,
                     .profile = config.output.naming,
                     .measurement = config.output.measurement},
          .interval = config.flush.interval,
          .bucket = destination.database + (has_policy ? "/" + destination.retention_policy : ""),
          .retention_policy = destination.retention_policy,
          .has_host = std::ranges::any_of(config.tags, [](const StaticTag& tag) {
            return tag.key == "host" && !tag.value.empty();
          })};
}

Status write(const std::string& text, const std::string& file, std::ostream& out) {
  if (file.empty()) {
    out << text << std::flush;
    return out ? Status() : Error{"cannot write to standard output"};
  }
  std::ofstream opened(file, std::ios::binary | std::ios::trunc);
  opened << text << std::flush;
  return opened ? Status() : Error{"cannot write " + quote(file) + "; see --output"};
}

void report(const Dashboard& dashboard, const Seen& seen, QueryLanguage language,
            std::ostream& err) {
  err << fmt::format("tallyd: {} panels, in {}\n", dashboard.panels,
                     query_language_names[static_cast<std::size_t>(language)]);
  if (dashboard.left_out > 0)
    err << fmt::format("tallyd: {} less busy metrics are left out; --limit allows more\n",
                       with_commas(dashboard.left_out));
  if (dashboard.unnameable > 0)
    err << fmt::format("tallyd: {} metrics are left out, for a '$' in a name is Grafana's\n",
                       with_commas(dashboard.unnameable));
  if (!seen.is_all)
    err << fmt::format("tallyd: only the {} busiest series were looked at\n",
                       with_commas(page_rows * pages_max));
}

/// What the command line wants.
struct Wanted {
  std::string title;
  std::string file;  ///< "": standard output
  std::size_t panels_max;
  std::optional<QueryLanguage> language;
};

Result<Wanted> read_wanted(const Arguments& arguments) {
  const auto panels = arguments.number("limit", {.otherwise = 60, .least = 1, .most = 1000});
  if (!panels) return panels.error();
  const auto& names = query_language_names;
  const auto named = arguments.choice("language", {std::begin(names), std::end(names)});
  if (!named) return named.error();
  Wanted wanted{.title = arguments.value("title", "tallyd: metrics"),
                .file = arguments.value("output"),
                .panels_max = panels.value()};
  if (arguments.has("language"))
    wanted.language = static_cast<QueryLanguage>(std::ranges::find(names, named.value()) - names);
  return wanted;
}

/// Asks, and writes what came of it.
Status make(const Wanted& wanted, const Site& site, std::ostream& out, std::ostream& err) {
  const Result<QueryLanguage> language =
      wanted.language ? Result<QueryLanguage>(*wanted.language) : ask_for_language(site);
  if (!language) return language.error();
  const Result<Config> config = ask_for_config(site);
  if (!config) return config.error();
  const Result<Seen> seen = ask_for_metrics(site);
  if (!seen) return seen.error();
  if (seen.value().metrics.empty())
    return Error{
        fmt::format("the tallyd at {} has seen no metric within its last 60 windows: send "
                    "some, such as tallyd send counter hits 1",
                    site.url)};
  const Dashboard dashboard =
      make_dashboard({.title = wanted.title,
                      .context = context_of(config.value(), language.value()),
                      .percentiles = config.value().flush.percentiles,
                      .metrics = seen.value().metrics,
                      .panels_max = wanted.panels_max});
  if (Status error = write(dashboard.json, wanted.file, out)) return error;
  report(dashboard, seen.value(), language.value(), err);
  return {};
}

}  // namespace

int run_grafana(const Arguments& arguments, const Config& config, std::ostream& out,
                std::ostream& err) {
  const Result<Wanted> wanted = read_wanted(arguments);
  if (!wanted) return complain(err, wanted.error(), exit_usage);
  const Result<Site> site = site_of(arguments, config);
  if (!site) return complain(err, site.error(), exit_usage);
  const Status error = make(wanted.value(), site.value(), out, err);
  return error ? complain(err, *error, exit_failed) : 0;
}

}  // namespace tally
