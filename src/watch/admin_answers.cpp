#include "watch/admin_answers.hpp"

#include <chrono>
#include <map>
#include <unordered_set>
#include <utility>

namespace tally {
namespace {

using Verb = AdminCommand::Verb;

// As many as there can be series (limits.series). New ones may come faster than they are forgotten.
constexpr std::size_t rounds_max = 100'000'000 / Insight::looked_max;

}  // namespace

AdminAnswers::AdminAnswers(Insight& insight, Known known)
    : insight_(insight), known_(std::move(known)), started_(std::chrono::steady_clock::now()) {}

void AdminAnswers::answer(AdminCommand command, Done done) {
  switch (command.verb) {
    case Verb::stats:
      return insight_.live([this, done = std::move(done)](const LiveState& live) {
        done(stats_answer(live, uptime()));
      });
    case Verb::counters:
    case Verb::gauges:
    case Verb::timers:
      return dump(command.verb, std::move(done));
    case Verb::delcounters:
    case Verb::delgauges:
    case Verb::deltimers:
      deleting_ = Deleting{.kinds = kinds_of(command.verb),
                           .patterns = std::move(command.words),
                           .deleted = {},
                           .done = std::move(done)};
      return delete_next();
    case Verb::health:
      return done(change_health(command));
    case Verb::config:
      return done(config_answer(config_to_toml(insight_.config())));
    case Verb::help:
      return done(help_answer());
    case Verb::unknown:
      return done(std::string(unknown_answer));
    case Verb::nothing:
    case Verb::quit:
      return done({});
  }
}

void AdminAnswers::dump(Verb verb, Done done) {
  insight_.look({.kinds = kinds_of(verb)},
                [this, verb, done = std::move(done)](std::vector<Looked> open) {
                  done(dump_of(verb, std::move(open)));
                });
}

std::string AdminAnswers::dump_of(Verb verb, std::vector<Looked> open) const {
  if (verb == Verb::gauges) return gauges_answer(open, gauges_beside(open));
  const std::vector<AdminName> known = known_(kinds_of(verb));
  return verb == Verb::counters ? counters_answer(open, known)
                                : timers_answer(std::move(open), known);
}

/// Of the carried gauges those that the open window has moved, which start from there, and as many
/// others as an answer holds.
std::map<std::string, double> AdminAnswers::gauges_beside(const std::vector<Looked>& open) const {
  std::unordered_set<std::string_view> moved;
  for (const Looked& looked : open) moved.insert(looked.key);
  std::map<std::string, double> carried;
  std::size_t others = 0;
  insight_.gauges([&](std::string_view key, double value) {
    const bool is_moved = moved.contains(key);
    if (!is_moved && others == Insight::looked_max) return;
    others += is_moved ? 0 : 1;
    carried.emplace(key, value);
  });
  return carried;
}

void AdminAnswers::delete_next() {
  Deleting& deleting = *deleting_;
  if (deleting.deleted.size() == deleting.patterns.size()) {
    const Deleting finished = std::move(*std::exchange(deleting_, std::nullopt));
    return finished.done(deleted_answer(finished.deleted));
  }
  deleting.deleted.push_back({.pattern = deleting.patterns[deleting.deleted.size()], .keys = {}});
  deleting.rounds = 0;
  forget();
}

void AdminAnswers::forget() {
  ++deleting_->rounds;
  insight_.forget({.kinds = deleting_->kinds, .match = deleting_->deleted.back().pattern},
                  [this](std::vector<std::string> keys) { on_deleted(std::move(keys)); });
}

void AdminAnswers::on_deleted(std::vector<std::string> keys) {
  AdminDeleted& deleted = deleting_->deleted.back();
  const bool may_be_more = keys.size() >= Insight::looked_max && deleting_->rounds < rounds_max;
  if (deleted.keys.empty())
    deleted.keys = std::move(keys);
  else
    deleted.more += keys.size();
  may_be_more ? forget() : delete_next();
}

std::string AdminAnswers::change_health(const AdminCommand& command) {
  const std::string_view word = command.words.empty() ? "" : std::string_view(command.words[0]);
  if (word == "up") is_up_ = true;
  if (word == "down") is_up_ = false;
  return health_answer(is_up_);
}

std::chrono::seconds AdminAnswers::uptime() const {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
}

}  // namespace tally
