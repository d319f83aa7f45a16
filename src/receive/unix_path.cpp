// Binding to a path takes four steps: is the file there a socket that lives, away with it if it
// does not, bind, rights. Two daemons that start at once could each remove what the other has just
// bound, so the steps are done under a lock. The lock is a flock on the directory, for a moment: a
// lock file of our own would have to stay for ever, since removing it safely needs a lock.
#include "unix_path.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "posix/descriptor.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

constexpr std::size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;

Error cannot_listen(const std::string& path, const std::string& why, int code) {
  return {path + ": cannot listen: " + why, code};
}

Error cannot_listen(const std::string& path, int code, const std::string& cure) {
  return cannot_listen(path, std::strerror(code) + ("; " + cure), code);
}

bool is_abstract(const std::string& path) {
  return path.starts_with('@');
}

struct UnixAddress {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

Result<UnixAddress> to_unix_address(const std::string& path) {
  const std::size_t bytes = path.size();
  if (path.find('\0') != std::string::npos) {
    return cannot_listen(quote(path), "the path holds a zero byte", EINVAL);
  }
  if (bytes > path_bytes_max) {
    return cannot_listen(path,
                         "the path has " + std::to_string(bytes) + " bytes and the kernel takes " +
                             std::to_string(path_bytes_max) + "; choose a shorter one",
                         ENAMETOOLONG);
  }
  if (path.empty() || path == "@") return Error{"a Unix socket without a name", EINVAL};
  UnixAddress result;
  std::ranges::copy(path, result.address.sun_path);
  result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + bytes);
  if (is_abstract(path)) {
    result.address.sun_path[0] = '\0';  // and no zero at the end: it would be a part of the name
  } else {
    ++result.size;
  }
  return result;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<std::size_t>(slash, 1));
}

/// Takes the lock on the directory of `path`; it is given back with the descriptor. Other programs
/// could hold it for ever, so the wait has an end.
Result<Descriptor> lock_directory(const std::string& path) {
  constexpr int tries_max = 100;
  constexpr int pause_ms = 10;
  const std::string directory = directory_of(path);
  Descriptor opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) {
    return cannot_listen(path, errno,
                         "make the directory " + directory +
                             " and let tallyd write to it (systemd: RuntimeDirectory=)");
  }
  for (int i = 0; i < tries_max && flock(opened.get(), LOCK_EX | LOCK_NB) != 0; ++i) {
    if (errno != EWOULDBLOCK) {
      return cannot_listen(path, errno, "the directory " + directory + " cannot be locked");
    }
    if (i + 1 == tries_max) {
      return cannot_listen(path, EWOULDBLOCK,
                           "another program holds a lock on " + directory +
                               ": find it with `lslocks`, or choose a directory of tallyd's own");
    }
    poll(nullptr, 0, pause_ms);
  }
  return opened;
}

int type_of(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
  return type;
}

/// What connecting says: 0 or an errno. ECONNREFUSED alone says that no one listens: a socket of
/// another type answers EPROTOTYPE, one whose queue is full EAGAIN, and without the right to ask
/// there is no answer.
int probe(const UnixAddress& address, int type) {
  const Descriptor client(socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!client) return errno;
  return connect(client.get(), address.get(), address.size) == 0 ? 0 : errno;
}

/// Removes a socket file that no one listens on. REQUIRES: the directory's lock.
Status make_room(const std::string& path, const UnixAddress& address, int type) {
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0) return std::nullopt;  // bind says it if that is wrong
  if (!S_ISSOCK(there.st_mode)) {
    return cannot_listen(path, "it is there and is no socket; remove it or choose another path",
                         EEXIST);
  }
  const int answer = probe(address, type);
  if (answer == EACCES) {
    return cannot_listen(path, answer,
                         "a socket is there and may be in use: remove it if it is not");
  }
  if (answer != ECONNREFUSED && answer != ENOENT) {
    return cannot_listen(path,
                         "another program (another tallyd?) listens there: find it with `ss -xap "
                         "src " +
                             path + "` and stop it, or choose another path",
                         EADDRINUSE);
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return cannot_listen(path, errno, "the socket there is stale and cannot be removed");
  }
  return std::nullopt;
}

Status bind_and_listen(int fd, const std::string& path, const UnixAddress& address) {
  if (::bind(fd, address.get(), address.size) != 0) {
    if (errno == EADDRINUSE && is_abstract(path)) {
      return cannot_listen(path, errno,
                           "another program (another tallyd?) has the name: find it with "
                           "`ss -xap` and stop it, or choose another");
    }
    return cannot_listen(path, errno, "let tallyd write to " + directory_of(path));
  }
  // Under the lock too: a stream that is bound and does not listen looks as if no one were there.
  if (type_of(fd) == SOCK_STREAM && listen(fd, SOMAXCONN) != 0) {
    return cannot_listen(path, errno, "nothing is received there");
  }
  return std::nullopt;
}

/// Gives the file its owner and then its mode, so that the wider mode never goes with the narrower
/// owner. Does not follow a link that someone may have put in its place.
Status grant(const std::string& path, const UnixAccess& access) {
  constexpr auto unchanged = std::numeric_limits<uid_t>::max();
  if ((access.user || access.group) && lchown(path.c_str(), access.user.value_or(unchanged),
                                              access.group.value_or(unchanged)) != 0) {
    return cannot_listen(path, errno,
                         "only root, or a member of the group, can give it to that owner");
  }
  if (fchmodat(AT_FDCWD, path.c_str(), access.mode, AT_SYMLINK_NOFOLLOW) != 0) {
    return cannot_listen(path, errno, "its mode cannot be set");
  }
  return std::nullopt;
}

template <class Id>
std::optional<Id> parse_id(const std::string& text) {
  Id id = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  // The greatest number means "leave it" to chown.
  if (error != std::errc() || stop != end || id == std::numeric_limits<Id>::max()) {
    return std::nullopt;
  }
  return id;
}

std::optional<uid_t> find_user(const std::string& name) {
  std::vector<char> memory(64 << 10);
  passwd entry{};
  passwd* found = nullptr;
  getpwnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found);
  return found != nullptr ? found->pw_uid : parse_id<uid_t>(name);
}

std::optional<gid_t> find_group(const std::string& name) {
  std::vector<char> memory(1 << 20);  // a group's members are in it
  group entry{};
  group* found = nullptr;
  getgrnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found);
  return found != nullptr ? found->gr_gid : parse_id<gid_t>(name);
}

}  // namespace

Result<UnixAccess> parse_unix_owner(const std::string& owner, mode_t mode) {
  const std::size_t colon = owner.find(':');
  const std::string user = owner.substr(0, colon);
  const std::string group = colon == std::string::npos ? "" : owner.substr(colon + 1);
  UnixAccess access{.mode = mode, .user = {}, .group = {}};
  if (!user.empty()) access.user = find_user(user);
  if (!group.empty()) access.group = find_group(group);
  const std::string cure = ": this system knows none of that name; make it, or write a number";
  if (!user.empty() && !access.user) return Error{"user " + quote(user) + cure, 0};
  if (!group.empty() && !access.group) return Error{"group " + quote(group) + cure, 0};
  return access;
}

Result<UnixPath> UnixPath::bind(int fd, const std::string& path, const UnixAccess& access) {
  const Result<UnixAddress> address = to_unix_address(path);
  if (!address) return address.error();
  UnixPath bound(path);
  if (bound.is_abstract()) {
    if (Status failed = bind_and_listen(fd, path, address.value())) return *std::move(failed);
    return bound;
  }
  const Result<Descriptor> lock = lock_directory(path);
  if (!lock) return lock.error();
  if (Status failed = make_room(path, address.value(), type_of(fd))) return *std::move(failed);
  // Linux makes the file with the rights of the socket itself, so only its owner can connect until
  // `grant`. Not umask: that would change the files that other threads make meanwhile.
  fchmod(fd, access.mode & S_IRWXU);
  if (Status failed = bind_and_listen(fd, path, address.value())) return *std::move(failed);
  struct stat made {};
  if (lstat(path.c_str(), &made) == 0) {
    bound.device_ = made.st_dev;
    bound.inode_ = made.st_ino;
  }
  if (Status failed = grant(path, access)) return *std::move(failed);
  return bound;
}

UnixPath::UnixPath(UnixPath&& other) noexcept
    : path_(std::move(other.path_)),
      device_(other.device_),
      inode_(std::exchange(other.inode_, 0)) {}

UnixPath& UnixPath::operator=(UnixPath&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

UnixPath::~UnixPath() {
  struct stat there {};
  if (inode_ == 0 || lstat(path_.c_str(), &there) != 0) return;
  if (there.st_dev == device_ && there.st_ino == inode_) unlink(path_.c_str());
}

}  // namespace tally
