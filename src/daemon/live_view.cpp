#include "daemon/live_view.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "daemon/wall_clock.hpp"
#include "tally/glob.hpp"
#include "tally/series.hpp"

namespace tally {
namespace {

constexpr std::chrono::milliseconds patience{900};
constexpr std::size_t senders_shown = WorkerReport::senders_max;

bool is_kind_of(Kind kind, const std::vector<Kind>& kinds) {
  return kinds.empty() || std::ranges::find(kinds, kind) != kinds.end();
}

IsMeant meant_by(const LookFor& what) {
  const bool has_tags = what.match.find(';') != std::string::npos;
  return [what, has_tags](std::string_view key) {
    if (!is_kind_of(kind_of_series_key(key), what.kinds)) return false;
    return has_tags ? matches_glob(what.match, name_with_tags(split_series_key(key)))
                    : matches_glob(what.match, name_of_series_key(key));
  };
}

// The same peer can send to several workers.
void merge_senders(std::vector<Sender>& all) {
  std::ranges::sort(all, std::ranges::greater(), &Sender::lines);
  std::vector<Sender> merged;
  for (const Sender& each : all) {
    const auto known = std::ranges::find(merged, each.peer, &Sender::peer);
    if (known == merged.end()) {
      merged.push_back(each);
      continue;
    }
    known->datagrams += each.datagrams;
    known->bytes += each.bytes;
    known->lines += each.lines;
    known->refused += each.refused;
  }
  std::ranges::stable_sort(merged, std::ranges::greater(), &Sender::lines);
  if (merged.size() > senders_shown) merged.resize(senders_shown);
  all = std::move(merged);
}

std::vector<RefusedLine> newest_first(const RefusedRing& ring) {
  std::vector<RefusedLine> lines;
  for (const RefusedLine* line : ring.lines()) lines.push_back(*line);
  std::ranges::reverse(lines);
  return lines;
}

}  // namespace

LiveView::LiveView(uv::Loop& loop, Parts parts, History& history)
    : loop_(loop),
      parts_(std::move(parts)),
      history_(history),
      patience_(loop, [this] { answer_live(); }) {}

// All who ask while a question is under way get its answer.
void LiveView::live(std::function<void(const LiveState&)> done) {
  waiting_.push_back(std::move(done));
  if (waiting_.size() > 1) return;
  ++asked_;
  reports_.assign(parts_.windows.workers().size(), std::nullopt);
  for (const auto& worker : parts_.windows.workers()) worker->report(asked_);
  patience_.start(patience);
}

void LiveView::on_letter(std::size_t worker, std::optional<Worker::Letter> letter) {
  if (!letter) {
    // What it reported is in the part that has just come.
    if (worker < reports_.size() && reports_[worker])
      reports_[worker] = WorkerReport{.last_heard = reports_[worker]->last_heard};
    return;
  }
  if (auto* report = std::get_if<WorkerReport>(&*letter)) on_report(worker, std::move(*report));
  if (auto* found = std::get_if<WorkerFound>(&*letter)) on_found(std::move(*found));
  if (auto* batch = std::get_if<TapBatch>(&*letter)) on_tapped(worker, *batch);
}

void LiveView::on_report(std::size_t worker, WorkerReport report) {
  if (waiting_.empty() || report.number != asked_) return;  // too late: it was not waited for
  reports_[worker] = std::move(report);
  if (std::ranges::all_of(reports_, [](const auto& each) { return each.has_value(); }))
    answer_live();
}

// All that is known without the receive threads.
LiveState LiveView::at_rest() const {
  LiveState state{.now = wall_now(),
                  .window = parts_.windows.opened(),
                  .ledger = parts_.ledger,
                  .is_stopping = is_stopping_,
                  .gauges_held = parts_.flush.carry().gauges(),
                  .last_closed = last_closed_};
  parts_.windows.add_waiting(state.ledger);
  state.ledger.by_listener.resize(parts_.windows.listeners().size());
  state.ledger.deliveries = parts_.outputs.counts();
  state.destinations = parts_.outputs.states();
  for (const std::string& name : parts_.windows.listeners())
    state.listeners.push_back({.name = name});
  const auto& buffers = parts_.windows.receive_buffers();
  for (std::size_t i = 0; i < buffers.size(); ++i) state.listeners[i].receive_buffer = buffers[i];
  return state;
}

void LiveView::answer_live() {
  patience_.stop();
  LiveState state = at_rest();
  RefusedRing refused = parts_.refused;
  for (std::size_t worker = 0; worker < reports_.size(); ++worker) {
    state.is_whole = state.is_whole && reports_[worker].has_value();
    if (!reports_[worker]) continue;
    add_report(state, *reports_[worker], worker);
    refused.merge(reports_[worker]->refused);
  }
  merge_senders(state.senders);
  state.refused = newest_first(refused);
  reports_.clear();
  for (const auto& done : std::exchange(waiting_, {})) done(state);
}

void LiveView::add_report(LiveState& state, const WorkerReport& report, std::size_t worker) const {
  state.ledger.add(report.counts);
  state.series += report.series;
  state.last_heard = std::max(state.last_heard, report.last_heard);
  std::ranges::copy(report.senders, std::back_inserter(state.senders));
  for (std::size_t i = 0; i < report.buffer_fill.size(); ++i)
    state.listeners[i].buffer_fill =
        std::max(state.listeners[i].buffer_fill, report.buffer_fill[i]);
  if (worker != 0) return;  // streams are the first one's
  const std::size_t first = state.listeners.size() - report.connections.size();
  for (std::size_t i = 0; i < report.connections.size(); ++i)
    state.listeners[first + i].connections = report.connections[i];
}

void LiveView::search(const LookFor& what, bool forgets,
                      std::function<void(std::vector<Looked>)> done) {
  const std::uint64_t number = ++searched_;
  const auto& workers = parts_.windows.workers();
  auto timer = std::make_unique<uv::Timer>(loop_, [this, number] { end_search(number); });
  timer->start(patience);
  searches_[number] = {.missing = workers.size(),
                       .found = {},
                       .done = std::move(done),
                       .patience = std::move(timer)};
  for (const auto& worker : workers) worker->look(number, meant_by(what), forgets);
}

void LiveView::on_found(WorkerFound found) {
  const auto at = searches_.find(found.number);
  if (at == searches_.end()) return;
  Search& search = at->second;
  std::ranges::move(found.series, std::back_inserter(search.found));
  if (--search.missing == 0) end_search(found.number);
}

void LiveView::end_search(std::uint64_t number) {
  const auto at = searches_.find(number);
  Search search = std::move(at->second);
  searches_.erase(at);
  if (search.found.size() > looked_max) search.found.resize(looked_max);
  search.done(std::move(search.found));
}

void LiveView::look(LookFor what, std::function<void(std::vector<Looked>)> done) {
  search(what, false, std::move(done));
}

void LiveView::forget(LookFor what, std::function<void(std::vector<std::string>)> done) {
  const IsMeant is_meant = meant_by(what);
  std::set<std::string> keys;
  const auto forget_one = [&](std::string_view key) {
    return is_meant(key) && (keys.emplace(key), true);
  };
  parts_.flush.carry().forget_gauges(forget_one);
  history_.forget(forget_one);
  search(what, true, [keys = std::move(keys), done = std::move(done)](std::vector<Looked> found) {
    std::set<std::string> all = keys;
    for (Looked& each : found) all.insert(std::move(each.key));
    done({all.begin(), all.end()});
  });
}

void LiveView::gauges(const std::function<void(std::string_view key, double value)>& each) const {
  parts_.flush.carry().each_gauge(each);
}

Insight::TapId LiveView::tap(OnTapped on_tapped) {
  if (taps_.empty()) {
    for (const auto& worker : parts_.windows.workers()) worker->tap(true);
  }
  taps_.emplace(next_tap_, std::move(on_tapped));
  return next_tap_++;
}

void LiveView::untap(TapId id) {
  if (taps_.erase(id) == 0 || !taps_.empty()) return;
  for (const auto& worker : parts_.windows.workers()) worker->tap(false);
}

void LiveView::on_tapped(std::size_t worker, const TapBatch& batch) {
  tap_skipped_ += batch.skipped();
  const std::vector<Tapped> pieces = batch.pieces();
  // A callback may end its own tap, or another's.
  std::vector<TapId> ids;
  for (const auto& [id, on_tapped] : taps_) ids.push_back(id);
  for (const TapId id : ids) {
    const auto at = taps_.find(id);
    if (at == taps_.end()) continue;
    const OnTapped on_tapped = at->second;
    on_tapped(pieces, batch.skipped());
  }
  parts_.windows.workers()[worker]->tap_seen();
}

}  // namespace tally
