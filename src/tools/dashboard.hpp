#pragma once
// A Grafana dashboard for metrics that were seen. Pure.

#include <cstddef>
#include <string>
#include <vector>

#include "tools/dashboard_query.hpp"

namespace tally {

struct DashboardRequest {
  std::string title;
  QueryContext context;
  std::vector<double> percentiles;  ///< those that are written
  std::vector<Metric> metrics;      ///< the most important first
  std::size_t panels_max = 60;
};

struct Dashboard {
  std::string json;
  std::size_t panels = 0;    ///< one a metric
  std::size_t left_out = 0;  ///< metrics beyond `panels_max`
  /// Metrics with a '$' in their name: Grafana would take what follows for a variable.
  std::size_t unnameable = 0;
};

/// A row for each first part of the names ("api" of api.hits; behind what all names share), in it a
/// panel for each metric: counters as bars of their rate, timers as mean, p50, p95 and p99 (those
/// of them that are written, else the first three) with their rate, gauges by host, sets.
Dashboard make_dashboard(const DashboardRequest& request);

}  // namespace tally
