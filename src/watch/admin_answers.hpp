#pragma once
// What a command of the management interface does: asks Insight, and puts what it says into words.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tally/time.hpp"
#include "watch/admin_text.hpp"
#include "watch/insight.hpp"

namespace tally {

/// Obeys one command at a time. Main's loop.
class AdminAnswers {
 public:
  /// The series of some kinds that the last windows have heard, at most `Insight::looked_max`.
  using Known = std::function<std::vector<AdminName>(const std::vector<Kind>& kinds)>;
  using Done = std::function<void(std::string answer)>;

  AdminAnswers(Insight& insight, Known known);

  /// Calls `done` once, at once or later. REQUIRES: it was called for the command before, and this
  /// lives until then.
  void answer(AdminCommand command, Done done);

  /// What `health up` or `health down` said last; up at first.
  bool is_up() const { return is_up_; }

 private:
  // A `del` command, which is obeyed one pattern after the other.
  struct Deleting {
    std::vector<Kind> kinds;
    std::vector<std::string> patterns;
    std::vector<AdminDeleted> deleted;  ///< of the patterns so far
    std::size_t rounds = 0;             ///< of the last one
    Done done;
  };

  void dump(AdminCommand::Verb verb, Done done);
  std::string dump_of(AdminCommand::Verb verb, std::vector<Looked> open) const;
  std::map<std::string, double> gauges_beside(const std::vector<Looked>& open) const;
  void delete_next();
  void forget();
  void on_deleted(std::vector<std::string> keys);
  std::string change_health(const AdminCommand& command);
  std::chrono::seconds uptime() const;

  Insight& insight_;
  Known known_;
  Instant started_;
  bool is_up_ = true;
  std::optional<Deleting> deleting_;
};

}  // namespace tally
