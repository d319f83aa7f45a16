#include "tools/top_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "tally/text.hpp"
#include "tools/columns.hpp"
#include "tools/statsd_line.hpp"

namespace tally {
namespace {

constexpr std::size_t destinations_max = 4;  // shown; more are counted

/// Of the server's 30 windows; on a narrow screen a name needs the room, or all of it.
std::size_t spark_columns(const Screen& screen) {
  if (screen.columns < 64) return 0;
  return screen.columns < 110 ? 20 : 30;
}

std::string spark_title(std::size_t columns) {
  const std::string title = columns > 0 ? fmt::format("LAST {} WINDOWS", columns) : "";
  return fmt::format("{:<{}}    ", title, columns);
}

struct Column {
  std::string_view title;
  std::size_t columns;
};

/// The numbers of a view, right-aligned, in front of the name.
std::span<const Column> number_columns(TopTab by) {
  static constexpr std::array<Column, 2> rate = {{{"RATE/S", 7}, {"LAST", 7}}};
  static constexpr std::array<Column, 1> series = {{{"SERIES", 9}}};
  static constexpr std::array<Column, 1> bytes = {{{"BYTES", 9}}};
  static constexpr std::array<Column, 5> sender = {
      {{"LINES/S", 9}, {"DATAGRAMS", 10}, {"BYTES", 9}, {"LINES", 9}, {"REFUSED", 9}}};
  static constexpr std::array<Column, 1> tag = {{{"VALUES", 9}}};
  switch (by) {
    case TopTab::rate:
      return rate;
    case TopTab::series:
      return series;
    case TopTab::bytes:
      return bytes;
    case TopTab::sender:
      return sender;
    case TopTab::tag:
      return tag;
  }
  return rate;  // not reached: the switch is complete
}

std::string_view name_title(TopTab by) {
  constexpr std::array<std::string_view, 5> titles = {"NAME", "NAMES THAT BEGIN SO",
                                                      "NAME, ITS LINE PROTOCOL IN THE LAST WINDOW",
                                                      "SENDER", "TAG, BY NUMBER OF ITS VALUES"};
  return titles[static_cast<std::size_t>(by)];
}

class View {
 public:
  View(const TopState& state, const Screen& screen) : state_(state), screen_(screen) {}

  std::vector<std::string> lines();

 private:
  ScreenLine line() const { return {screen_.columns, screen_.is_colored}; }
  void put(ScreenLine&& line) { lines_.push_back(std::move(line).text()); }

  void add_head(const TopSummary& summary);
  void add_rates(const TopSummary& summary);
  void add_lost(ScreenLine& line, const TopSummary& summary) const;
  void add_destinations(const TopSummary& summary);
  void add_table();
  void add_row(const TopRow& row);
  void add_foot();

  const TopState& state_;
  const Screen& screen_;
  std::vector<std::string> lines_;
};

void View::add_head(const TopSummary& summary) {
  ScreenLine head = line();
  head.add(fmt::format("tallyd {} on {}   up {}   window {}", printable(summary.version, 20),
                       printable(summary.host, 40), short_duration(summary.uptime_s),
                       summary.interval_ms < 1000 ? fmt::format("{}ms", summary.interval_ms)
                                                  : short_duration(summary.interval_ms / 1000)));
  const std::size_t room = screen_.columns - std::min(screen_.columns, state_.clock.size());
  if (head.used() < room) head.fill_to(room).add(state_.clock);
  put(std::move(head));
}

void View::add_rates(const TopSummary& summary) {
  ScreenLine rates = line();
  rates.add(fmt::format("packets {}/s   lines {}/s   points {}/s   series {}   ",
                        short_number(state_.packets_s), short_number(state_.lines_s),
                        short_number(state_.points_s), short_number(summary.series)));
  add_lost(rates, summary);
  put(std::move(rates));
}

/// The number, and where if there are any.
void View::add_lost(ScreenLine& line, const TopSummary& summary) const {
  if (summary.lost == 0) {
    line.add("lost 0", Style::good);
    return;
  }
  line.add(fmt::format("LOST {}", short_number(summary.lost)), Style::bad);
  const std::array<std::pair<double, std::string_view>, 4> places = {
      {{summary.dropped_by_kernel, "by the kernel"},
       {summary.denied, "denied"},
       {summary.refused, "refused"},
       {summary.points_dropped, "points dropped"}}};
  std::string_view before = ": ";
  for (const auto& [number, place] : places) {
    if (number == 0) continue;
    line.add(fmt::format("{}{} {}", before, short_number(number), place), Style::bad);
    before = ", ";
  }
}

void View::add_destinations(const TopSummary& summary) {
  const auto& all = summary.destinations;
  for (const TopDestination& each : std::span(all).first(std::min(all.size(), destinations_max))) {
    const bool is_failing = each.state == "failing";
    ScreenLine shown = line();
    shown.add(printable(each.name, 64) + "   ")
        .add(printable(each.state, 20), is_failing           ? Style::bad
                                        : each.state == "ok" ? Style::good
                                                             : Style::plain);
    if (!each.server.empty()) shown.add("   " + printable(each.server, 40));
    shown.add(fmt::format("   queued {}   spooled {}   {}", short_number(each.queued),
                          short_number(each.spooled), printable(each.last_answer)));
    put(std::move(shown));
  }
  if (all.size() > destinations_max)
    put(std::move(
        line().add(fmt::format("and {} more destinations", all.size() - destinations_max))));
}

void View::add_table() {
  ScreenLine titles = line();
  for (const Column& column : number_columns(state_.by))
    titles.add(fmt::format("{:>{}} ", column.title, column.columns), Style::title);
  if (state_.by == TopTab::rate) titles.add(spark_title(spark_columns(screen_)), Style::title);
  titles.add(name_title(state_.by), Style::title);
  if (state_.by == TopTab::rate) {
    const std::string what = state_.match.empty() ? "" : " like " + printable(state_.match, 40);
    titles.add(fmt::format("   {} series{}, by {}{}", short_number(state_.table.matched), what,
                           state_.sort, state_.is_ascending ? ", ascending" : ""),
               Style::title);
  }
  put(std::move(titles));
  // The server skips what is above in a list of series; of the others the beginning is sent.
  const std::size_t skip = state_.by == TopTab::rate ? 0 : state_.offset;
  const auto& rows = state_.table.rows;
  const std::size_t last = screen_.rows > 0 ? screen_.rows - 1 : 0;
  for (std::size_t i = skip; i < rows.size() && lines_.size() < last; ++i) add_row(rows[i]);
}

void View::add_row(const TopRow& row) {
  ScreenLine shown = line();
  std::size_t at = 0;
  for (const Column& column : number_columns(state_.by)) {
    const std::string number = at < row.numbers.size() ? short_number(row.numbers[at]) : "-";
    shown.add(fmt::format("{:>{}} ", number, column.columns));
    ++at;
  }
  if (state_.by == TopTab::rate)
    shown.add(sparkline(row.spark, spark_columns(screen_)))
        .add(fmt::format(" {:<2} ", type_of_kind(row.kind)));
  shown.add(printable(row.name, 512)).add(" ");
  shown.add(printable(row.detail, 512), Style::dim);
  put(std::move(shown));
}

void View::add_foot() {
  const std::string& trouble =
      state_.ledger_trouble.empty() ? state_.table_trouble : state_.ledger_trouble;
  ScreenLine foot = line();
  if (state_.typed)
    foot.add("filter, with * and ?: " + printable(*state_.typed) +
             "_   Enter applies, Esc does not");
  else if (!trouble.empty())
    foot.add(trouble, Style::bad);
  else
    foot.add("1 rate  2 series  3 bytes  4 senders  5 tags   r n l b sort   / filter   q quit",
             Style::dim);
  put(std::move(foot));
}

std::vector<std::string> View::lines() {
  if (state_.summary) {
    add_head(*state_.summary);
    add_rates(*state_.summary);
    add_destinations(*state_.summary);
  }
  add_table();
  const std::size_t last = screen_.rows > 0 ? screen_.rows - 1 : 0;
  lines_.resize(std::min(lines_.size(), last));
  while (lines_.size() < last) put(line());
  if (screen_.rows > 0) add_foot();
  return std::move(lines_);
}

}  // namespace

std::vector<std::string> render(const TopState& state, const Screen& screen) {
  return View(state, screen).lines();
}

std::size_t table_rows(const TopState& state, const Screen& screen) {
  const std::size_t destinations = state.summary ? state.summary->destinations.size() : 1;
  const std::size_t around = 4 + std::min(destinations, destinations_max + 1);
  return screen.rows > around ? screen.rows - around : 0;
}

}  // namespace tally
