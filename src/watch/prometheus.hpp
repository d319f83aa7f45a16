#pragma once
// The words of Prometheus' text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Pure.
//
//     # HELP tallyd_lines_total lines that were not empty
//     # TYPE tallyd_lines_total counter
//     tallyd_lines_total{state="accepted"} 42

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tally/series.hpp"

namespace tally {

/// Appends a metric's name: all but `a-z A-Z 0-9 _` becomes `_`, and a digit at the front gets one
/// before it. A colon does too: Prometheus keeps it for names that its rules make.
void append_prometheus_name(std::string& out, std::string_view text);

/// The names of labels, in the same way. Two underscores at the front are Prometheus' own, so `x`
/// is put before them, as before `quantile` and `le`, which are labels of summaries and histograms.
/// Two that became the same get underscores behind them.
std::vector<std::string> prometheus_labels(std::span<const TagView> tags);

/// Appends `NAME="value"`, without a comma or braces; `\`, `"` and line feeds escaped.
void append_prometheus_label(std::string& out, std::string_view name, std::string_view value);

/// Appends the two lines in front of a family's samples. `type` is counter, gauge or summary.
void append_prometheus_head(std::string& out, std::string_view family, std::string_view type,
                            std::string_view help);

/// Appends `NAME{LABELS} VALUE` and a line feed.
void append_prometheus_sample(std::string& out, std::string_view name,
                              std::span<const TagView> tags, double value);

/// Appends a number in the shortest form that reads back; NaN, +Inf and -Inf are numbers here.
void append_prometheus_number(std::string& out, double value);

}  // namespace tally
