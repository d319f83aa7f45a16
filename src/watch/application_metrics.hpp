#pragma once
// The application's metrics as Prometheus reads them, from what the history remembers. Pure.
//
//     counter api.hits        api_hits_total                                     counter
//     gauge queue             queue_value                                        gauge
//     set users               users_members                                      gauge
//     timer login             login_timer{quantile="0.5"}, _sum, _count          summary
//     histogram, distribution .._hist, .._dist                                   summary
//
// The suffix tells the kind, so that no two kinds meet in one name, nor any with the tallyd_* of
// self_metrics.hpp. (Not _gauge and _histogram: promtool wants no type in a name.) Tags are labels,
// static ones too. Names that differ only in what Prometheus cannot write become one name; where
// then two series cannot be told apart, all but the one known longest get the label `series_id`.
//
// Totals. Prometheus asks when it likes, so a number of the last window would be missed or counted
// twice. A counter, `_sum` and `_count` are therefore totals since the series is known, as the
// history adds them up. One that was forgotten begins anew, which Prometheus takes for a restart,
// as it does when a counter is sent negative values. Gauges are as they were last written and are
// left out when they expired; members and quantiles are of the last window: 0 and NaN if it heard
// none.
//
// What the history has no room for is not here either.

#include <string>

#include "watch/history.hpp"

namespace tally {

/// Prometheus' text. About 60 ms for 100,000 counters, all of other names.
std::string application_metrics_text(const History& history);

}  // namespace tally
