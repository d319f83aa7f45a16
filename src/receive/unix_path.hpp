#pragma once
// A Unix socket's name: a file with a mode and an owner, or "@name" in the abstract namespace.

#include <sys/types.h>

#include <optional>
#include <string>

#include "tally/result.hpp"

namespace tally {

/// Who may connect to a Unix socket. Abstract sockets have no file and take no heed of it.
struct UnixAccess {
  mode_t mode = 0660;
  std::optional<uid_t> user;
  std::optional<gid_t> group;

  friend bool operator==(const UnixAccess&, const UnixAccess&) = default;
};

/// Reads "user", "user:group" or ":group", names or numbers; "" changes nothing. Asks the system's
/// user database. Errors name who is unknown.
Result<UnixAccess> parse_unix_owner(const std::string& owner, mode_t mode);

/// Owns the name that a socket is bound to: unlinks the file when it goes, if it is still the one
/// that was made here. Movable. Destroy it before the socket is closed: as long as that is open no
/// other tallyd takes the name for free.
class UnixPath {
 public:
  /// Binds `fd` (SOCK_DGRAM or SOCK_STREAM) and lets a stream listen. A file that no one listens on
  /// any more is replaced; a socket that is alive, and anything that is no socket, is left alone
  /// and is an error. The file never has wider rights than `access`, not even for a moment. Of
  /// several daemons that start at once one gets the name. May wait up to a second for another that
  /// is just starting. Errors begin with the path and say what to do.
  static Result<UnixPath> bind(int fd, const std::string& path, const UnixAccess& access);

  UnixPath(UnixPath&& other) noexcept;
  UnixPath& operator=(UnixPath&& other) noexcept;
  ~UnixPath();

  const std::string& path() const { return path_; }
  bool is_abstract() const { return path_.starts_with('@'); }  ///< has no file, and so no mode

 private:
  explicit UnixPath(std::string path) : path_(std::move(path)) {}

  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;  // 0: abstract, nothing to unlink
};

}  // namespace tally
