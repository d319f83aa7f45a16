#pragma once
// What may block, on libuv's thread pool.

#include <uv.h>

#include <cassert>
#include <functional>
#include <optional>
#include <utility>

#include "handles.hpp"

namespace tally::uv {

/// Calls `task.run()` on a thread of the pool and then `on_done` with what it returned, on the
/// loop's thread. One at a time. When the owner dies meanwhile the task goes on, by itself, and
/// nobody is told.
template <class Task>
class Work {
 public:
  using Outcome = decltype(std::declval<const Task&>().run());

  Work(Loop& loop, std::function<void(Outcome)> on_done)
      : loop_(loop), on_done_(std::move(on_done)) {}
  ~Work() {
    if (job_ != nullptr) job_->owner = nullptr;
  }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  bool busy() const { return job_ != nullptr; }

  /// REQUIRES: not busy.
  void start(Task task) {
    assert(!busy());
    job_ = new Job{{}, std::move(task), std::nullopt, this};
    job_->request.data = job_;
    uv_queue_work(loop_.raw(), &job_->request, Job::run, Job::end);
  }

 private:
  struct Job {
    uv_work_t request;
    Task task;
    std::optional<Outcome> outcome;
    Work* owner;

    static void run(uv_work_t* request) noexcept {
      Job* const job = static_cast<Job*>(request->data);
      job->outcome.emplace(job->task.run());
    }
    static void end(uv_work_t* request, int) noexcept {
      Job* const job = static_cast<Job*>(request->data);
      Work* const owner = job->owner;
      std::optional<Outcome> outcome = std::move(job->outcome);
      delete job;
      if (owner == nullptr) return;
      owner->job_ = nullptr;
      if (!outcome) return;                  // it was cancelled
      const auto on_done = owner->on_done_;  // a copy: it may destroy its owner
      on_done(std::move(*outcome));
    }
  };

  Loop& loop_;
  std::function<void(Outcome)> on_done_;
  Job* job_ = nullptr;
};

}  // namespace tally::uv
