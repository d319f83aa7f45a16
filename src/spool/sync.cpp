#include "spool/sync.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace tally {

Status SpoolSync::run() const {
  int code = 0;
  for (const Descriptor& file : files_) {
    if (fdatasync(file.get()) != 0 && code == 0) code = errno;
  }
  if (directory_ && fsync(directory_->get()) != 0 && code == 0) code = errno;
  if (code == 0) return {};
  return Error{std::strerror(code), code};
}

void SyncDebt::add_retired(Descriptor file) {
  constexpr std::size_t retired_max = 16;  // beyond, the kernel writes them when it likes
  if (retired_.size() < retired_max) retired_.push_back(std::move(file));
}

void SyncDebt::forget() {
  retired_.clear();
  points_owed_ = 0;
}

int SyncDebt::pay_now(int file) {
  const bool is_done = fdatasync(file) == 0 &&
                       (std::exchange(is_listed_, true) || fsync(shared_.directory.fd()) == 0);
  if (is_done) return 0;
  const int code = errno;
  ++shared_.counts.sync_failures;
  return code;
}

std::optional<SpoolSync> SyncDebt::start(const std::vector<Open>& open) {
  const bool is_clean = std::ranges::none_of(open, [](const Open& file) { return *file.is_dirty; });
  if (is_paying_ || (is_clean && retired_.empty())) return std::nullopt;
  SpoolSync sync;
  const auto twin = [](int file) { return Descriptor(fcntl(file, F_DUPFD_CLOEXEC, 3)); };
  for (const Open& file : open) {
    if (!*file.is_dirty) continue;
    sync.files_.push_back(twin(file.file));
    if (!sync.files_.back()) return std::nullopt;
  }
  if (!is_listed_) {
    sync.directory_ = twin(shared_.directory.fd());
    if (!*sync.directory_) return std::nullopt;
  }
  std::ranges::move(retired_, std::back_inserter(sync.files_));
  retired_.clear();
  for (const Open& file : open) *file.is_dirty = false;
  is_listed_ = true;
  is_paying_ = true;
  points_paying_ = std::exchange(points_owed_, 0);
  return sync;
}

bool SyncDebt::end(const Status& outcome) {
  is_paying_ = false;
  if (!outcome) {
    has_failed_ = false;
    return true;
  }
  ++shared_.counts.sync_failures;
  shared_.counts.points_not_durable += points_paying_ + std::exchange(points_owed_, 0);
  if (!std::exchange(has_failed_, true))
    shared_.say(fmt::format(
        "the disk does not confirm what was written ({}): {} can be lost by a power cut; a new "
        "file is begun. Look after this disk",
        outcome->message, points_in_words(shared_.counts.points_not_durable)));
  return false;
}

}  // namespace tally
