#pragma once
// An Insight that a test fills. Header only: who links it needs aggregate.

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tally/series.hpp"
#include "watch/insight.hpp"

namespace tally::testing {

/// The key of a series, as the table has it.
inline std::string series_key(Kind kind, std::string_view name, const std::vector<Tag>& tags = {}) {
  SeriesKeyBuilder builder({});
  return std::string(builder.build(kind, name, tags));
}

/// Whether a glob of `*` and `?` meets all of `text`.
inline bool meets(std::string_view glob, std::string_view text) {
  if (glob.empty()) return text.empty();
  if (glob.front() == '*')
    return meets(glob.substr(1), text) || (!text.empty() && meets(glob, text.substr(1)));
  return !text.empty() && (glob.front() == '?' || glob.front() == text.front()) &&
         meets(glob.substr(1), text.substr(1));
}

/// Answers with what it was given: at once, or when told to.
class FakeInsight : public Insight {
 public:
  LoadedConfig loaded;
  LiveState state;
  std::vector<Looked> open_window;
  std::map<std::string, double> carried;   ///< gauges by key
  std::size_t forgotten_max = looked_max;  ///< in one answer
  bool answers_later = false;              ///< when `answer_one` is called
  std::vector<std::string> stopped_by;
  std::map<TapId, OnTapped> taps;

  std::size_t owed() const { return owed_.size(); }
  void answer_one() {
    const auto answer = std::move(owed_.front());
    owed_.pop_front();
    answer();
  }

  const LoadedConfig& config() const override { return loaded; }

  void live(std::function<void(const LiveState&)> done) override {
    owe([this, done = std::move(done)] { done(state); });
  }

  void look(LookFor what, std::function<void(std::vector<Looked>)> done) override {
    owe([this, what = std::move(what), done = std::move(done)] {
      std::vector<Looked> found;
      for (const Looked& looked : open_window)
        if (found.size() < looked_max && is_meant(what, looked.key)) found.push_back(looked);
      done(std::move(found));
    });
  }

  void forget(LookFor what, std::function<void(std::vector<std::string>)> done) override {
    owe([this, what = std::move(what), done = std::move(done)] {
      std::vector<std::string> keys;
      const auto forgets = [&](const std::string& key) {
        if (keys.size() >= forgotten_max || !is_meant(what, key)) return false;
        keys.push_back(key);
        return true;
      };
      std::erase_if(open_window, [&](const Looked& looked) { return forgets(looked.key); });
      std::erase_if(carried, [&](const auto& gauge) { return forgets(gauge.first); });
      done(std::move(keys));
    });
  }

  void gauges(const std::function<void(std::string_view, double)>& each) const override {
    for (const auto& [key, value] : carried) each(key, value);
  }

  TapId tap(OnTapped on_tapped) override {
    taps.emplace(++last_tap_, std::move(on_tapped));
    return last_tap_;
  }
  void untap(TapId id) override { taps.erase(id); }

  void stop(std::string_view who) override { stopped_by.emplace_back(who); }

 private:
  static bool is_meant(const LookFor& what, std::string_view key) {
    const Series series = split_series_key(key);
    const bool is_kind = what.kinds.empty() || std::find(what.kinds.begin(), what.kinds.end(),
                                                         series.kind) != what.kinds.end();
    const bool has_tags = what.match.find(';') != std::string::npos;
    return is_kind && meets(what.match, has_tags ? name_with_tags(series) : series.name);
  }

  void owe(std::function<void()> answer) {
    answers_later ? owed_.push_back(std::move(answer)) : answer();
  }

  std::deque<std::function<void()>> owed_;
  TapId last_tap_ = 0;
};

}  // namespace tally::testing
