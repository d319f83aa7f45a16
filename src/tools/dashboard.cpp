#include "tools/dashboard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "encode/scheme.hpp"
#include "tally/config.hpp"
#include "tally/encode.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

constexpr std::size_t width = 12, height = 8;  // of a panel, two beside each other

std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

/// One line of a chart.
struct Target {
  std::string ref;  ///< "A", "B" ..; "COUNT" is drawn behind the others, on an axis of its own
  std::string name;
  std::string query;
};

struct Panel {
  std::string title;
  std::string description;
  std::string unit;
  bool is_bars = false;
  bool is_by_host = false;
  std::vector<Target> targets;
};

// ------------------------------------------------------------------------ what a metric shows

/// Of the percentiles that are written.
std::vector<double> shown_percentiles(const std::vector<double>& written) {
  std::vector<double> shown;
  for (const double usual : {50.0, 95.0, 99.0})
    if (std::ranges::find(written, usual) != written.end()) shown.push_back(usual);
  if (shown.empty())
    shown.assign(written.begin(), written.begin() + static_cast<std::ptrdiff_t>(
                                                        std::min<std::size_t>(3, written.size())));
  return shown;
}

void add(Panel& panel, std::string name, std::optional<std::string> query, std::string ref = "") {
  if (!query) return;
  if (ref.empty()) ref = std::string(1, static_cast<char>('A' + panel.targets.size()));
  panel.targets.push_back({std::move(ref), std::move(name), std::move(*query)});
}

void add_timer(Panel& panel, const MetricQueries& queries, const DashboardRequest& request) {
  panel.description =
      "The mean of all values; percentiles of the worst window in each step, for those of several "
      "windows or hosts have no mean. Bars: values per second.";
  add(panel, "mean", queries.mean());
  for (const double percent : shown_percentiles(request.percentiles))
    add(panel, percentile_field(percent), queries.percentile(percent));
  add(panel, "per second", queries.rate(), "COUNT");
}

Panel panel_of(const Metric& metric, const DashboardRequest& request) {
  const MetricQueries queries(request.context, metric);
  Panel panel{.title = metric.name, .unit = "short"};
  switch (metric.kind) {
    case Kind::counter:
      panel.description = "Per second, of all hosts and tags.";
      panel.is_bars = true;
      add(panel, "per second", queries.rate());
      break;
    case Kind::gauge:
      panel.description = "The mean of each step.";
      panel.is_by_host = request.context.has_host;
      add(panel, "value", queries.value_by_host());
      break;
    case Kind::set:
      panel.description = "Distinct members in a window; the fullest window of each step.";
      panel.is_bars = true;
      add(panel, "members", queries.members());
      break;
    default:
      panel.unit = metric.kind == Kind::timer ? "ms" : "short";
      add_timer(panel, queries, request);
  }
  return panel;
}

// ---------------------------------------------------------------------------------- as JSON

std::string_view source_type(QueryLanguage language) {
  return language == QueryLanguage::metricsql ? "prometheus" : "influxdb";
}

std::string target_json(const Target& target, const Panel& panel, QueryLanguage language) {
  const std::string head =
      fmt::format(R"({{"refId":{},"datasource":{{"type":"{}","uid":"${{datasource}}"}})",
                  json(target.ref), source_type(language));
  switch (language) {
    case QueryLanguage::influxql:
      return head +
             fmt::format(R"(,"rawQuery":true,"query":{},"resultFormat":"time_series","alias":{}}})",
                         json(target.query), json(panel.is_by_host ? "$tag_host" : target.name));
    case QueryLanguage::flux:
      return head + fmt::format(R"(,"query":{}}})", json(target.query));
    case QueryLanguage::sql:
      return head +
             fmt::format(
                 R"(,"rawQuery":true,"editorMode":"code","format":"time_series","rawSql":{}}})",
                 json(target.query));
    case QueryLanguage::metricsql:
      return head +
             fmt::format(R"(,"editorMode":"code","range":true,"expr":{},"legendFormat":{}}})",
                         json(target.query), json(panel.is_by_host ? "{{host}}" : target.name));
  }
  return head;  // not reached: the switch is complete
}

std::string override_json(const Target& target, const Panel& panel) {
  std::string properties;
  if (!panel.is_by_host)
    properties = fmt::format(R"({{"id":"displayName","value":{}}})", json(target.name));
  if (target.ref == "COUNT")
    properties +=
        R"(,{"id":"unit","value":"short"},{"id":"custom.axisPlacement","value":"right"})"
        R"(,{"id":"custom.drawStyle","value":"bars"},{"id":"custom.fillOpacity","value":20})"
        R"(,{"id":"custom.lineWidth","value":0})";
  return fmt::format(R"({{"matcher":{{"id":"byFrameRefID","options":{}}},"properties":[{}]}})",
                     json(target.ref), properties);
}

template <class Range, class Write>
std::string list(const Range& range, Write write) {
  std::string out = "[";
  for (const auto& element : range) {
    if (out.size() > 1) out += ",";
    out += write(element);
  }
  return out + "]";
}

std::string panel_json(const Panel& panel, std::size_t id, std::size_t place, std::size_t y,
                       const DashboardRequest& request) {
  const QueryLanguage language = request.context.language;
  std::string out = fmt::format(
      R"({{"id":{},"type":"timeseries","title":{},"description":{},"interval":"{}",)"
      R"("datasource":{{"type":"{}","uid":"${{datasource}}"}},)"
      R"("gridPos":{{"x":{},"y":{},"w":{},"h":{}}},)",
      id, json(panel.title), json(panel.description), duration_to_string(request.context.interval),
      source_type(language), place % 2 * width, y, width, height);
  out += "\"targets\":" + list(panel.targets, [&](const Target& target) {
           return target_json(target, panel, language);
         });
  out += fmt::format(
      R"(,"fieldConfig":{{"defaults":{{"unit":"{}","custom":{{"drawStyle":"{}","fillOpacity":{},"showPoints":"never","spanNulls":false}}}},)",
      panel.unit, panel.is_bars ? "bars" : "line", panel.is_bars ? 60 : 0);
  out += "\"overrides\":" +
         list(panel.targets, [&](const Target& target) { return override_json(target, panel); });
  return out +
         R"(},"options":{"legend":{"displayMode":"list","placement":"bottom"},"tooltip":{"mode":"multi"}}})";
}

std::string row_json(std::string_view title, std::size_t id, std::size_t y) {
  return fmt::format(
      R"({{"id":{},"type":"row","title":{},"collapsed":false,"gridPos":{{"x":0,"y":{},"w":24,"h":1}},"panels":[]}})",
      id, json(title), y);
}

std::string variables_json(const DashboardRequest& request) {
  const QueryContext& context = request.context;
  std::string out = fmt::format(
      R"([{{"type":"datasource","name":"datasource","label":"Data source","query":"{}","refresh":1,"hide":0}})",
      source_type(context.language));
  if (context.has_host && !request.metrics.empty()) {
    const std::string query = json(hosts_query(context, request.metrics.front()));
    out += fmt::format(
        R"(,{{"type":"query","name":"host","label":"Host","datasource":{{"type":"{}","uid":"${{datasource}}"}},)"
        R"("query":{},"definition":{},"refresh":2,"sort":1,"multi":true,"includeAll":true,"allValue":".*",)"
        R"("current":{{"text":["All"],"value":["$__all"]}}}})",
        source_type(context.language), query, query);
  }
  return out + "]";
}

// ------------------------------------------------------------------------------------- rows

/// How many bytes all names begin with alike, up to a dot.
std::size_t shared_prefix(const std::vector<Metric>& metrics) {
  std::string_view shared = metrics.front().name;
  for (const Metric& metric : metrics) {
    const auto [end, other] = std::ranges::mismatch(shared, metric.name);
    shared = shared.substr(0, static_cast<std::size_t>(end - shared.begin()));
  }
  return shared.rfind('.') + 1;  // npos + 1 is 0
}

/// "api" of "api.hits"; a name without a dot belongs to none.
std::string row_of(std::string_view name, std::size_t shared) {
  const std::size_t dot = name.find('.', shared);
  return dot == std::string_view::npos ? "others" : std::string(name.substr(0, dot));
}

std::vector<Metric> chosen(const DashboardRequest& request, Dashboard& dashboard) {
  std::vector<Metric> metrics;
  for (const Metric& metric : request.metrics) {
    if (metric.name.find('$') != std::string::npos)
      ++dashboard.unnameable;
    else if (metrics.size() == request.panels_max)
      ++dashboard.left_out;
    else
      metrics.push_back(metric);
  }
  return metrics;
}

/// Panels below each other, two beside each other, a row's title above its own.
class Layout {
 public:
  explicit Layout(const DashboardRequest& request) : request_(request) {}

  void add_row(std::string_view title, const std::vector<Metric>& metrics) {
    put(row_json(title, next_id(), y_++));
    for (std::size_t i = 0; i < metrics.size(); ++i) {
      put(panel_json(panel_of(metrics[i], request_), next_id(), i, y_, request_));
      if (i % 2 == 1 || i + 1 == metrics.size()) y_ += height;
    }
  }

  const std::string& json() const { return json_; }

 private:
  std::size_t next_id() { return ++id_; }
  void put(const std::string& panel) {
    if (!json_.empty()) json_ += ",\n";
    json_ += panel;
  }

  const DashboardRequest& request_;
  std::string json_;
  std::size_t id_ = 0;
  std::size_t y_ = 0;
};

}  // namespace

Dashboard make_dashboard(const DashboardRequest& request) {
  Dashboard dashboard;
  const std::vector<Metric> metrics = chosen(request, dashboard);
  dashboard.panels = metrics.size();
  std::map<std::string, std::vector<Metric>> rows;
  const std::size_t shared = metrics.empty() ? 0 : shared_prefix(metrics);
  for (const Metric& metric : metrics) rows[row_of(metric.name, shared)].push_back(metric);
  Layout layout(request);
  for (auto& [title, members] : rows) {
    std::ranges::sort(members, {}, &Metric::name);
    layout.add_row(title, members);
  }
  const std::string description = fmt::format(
      "Made by tallyd grafana for {} metrics{}.", metrics.size(),
      dashboard.left_out > 0 ? fmt::format("; {} less busy ones are left out", dashboard.left_out)
                             : "");
  dashboard.json = fmt::format(
      R"({{"title":{},"description":{},"tags":["tallyd"],"editable":true,"schemaVersion":38,)"
      R"("time":{{"from":"now-1h","to":"now"}},"refresh":"10s","timezone":"browser","graphTooltip":1,)"
      R"("templating":{{"list":{}}},"annotations":{{"list":[]}},"links":[],"panels":[)"
      "\n{}\n]}}\n",
      json(request.title), json(description), variables_json(request), layout.json());
  return dashboard;
}

}  // namespace tally
