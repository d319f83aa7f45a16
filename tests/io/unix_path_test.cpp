// Names of Unix sockets on a real file system: what is taken over, what is left alone, what is left
// behind.
#include "receive/unix_path.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "posix/descriptor.hpp"
#include "process.hpp"
#include "receive/stream_socket.hpp"

using namespace tally;
using tally::testing::TemporaryDirectory;

namespace {

Descriptor make_socket(int type) {
  Descriptor made(socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  REQUIRE(made);
  return made;
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

/// errno of connecting, 0 if someone is there.
int connect_to(const std::string& path, int type) {
  const Descriptor client = make_socket(type);
  const sockaddr_un address = address_of(path);
  const int failed =
      connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return failed == 0 ? 0 : errno;
}

/// Some other program's socket; a stale file once it is destroyed.
Descriptor foreign_socket(const std::string& path, int type) {
  Descriptor made = make_socket(type);
  const sockaddr_un address = address_of(path);
  REQUIRE(bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  if (type != SOCK_DGRAM) REQUIRE(listen(made.get(), 16) == 0);
  return made;
}

struct stat stat_of(const std::string& path) {
  struct stat there {};
  REQUIRE(lstat(path.c_str(), &there) == 0);
  return there;
}

bool is_there(const std::string& path) {
  struct stat there {};
  return lstat(path.c_str(), &there) == 0;
}

mode_t mode_of(const std::string& path) {
  return stat_of(path).st_mode & 07777;
}

/// The umask of this process for a while.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(umask(mask)) {}
  ~Umask() { umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  mode_t before_;
};

/// Why binding a socket of `type` to `path` fails, which it must.
Error error_of(const std::string& path, int type = SOCK_STREAM) {
  const Descriptor socket = make_socket(type);
  const auto bound = UnixPath::bind(socket.get(), path, {});
  REQUIRE_FALSE(bound);
  return bound.error();
}

bool says(const Error& error, std::string_view words) {
  CAPTURE(error.message);
  CHECK(error.message.find(words) != std::string::npos);
  return error.message.find('\n') == std::string::npos;
}

constexpr std::array both_types = {SOCK_STREAM, SOCK_DGRAM};

}  // namespace

TEST_CASE("unix path: who connects finds the socket, and the file goes with its owner") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  for (const int type : both_types) {
    const Descriptor socket = make_socket(type);
    {
      const auto bound = UnixPath::bind(socket.get(), path, {});
      REQUIRE(bound);
      CHECK(bound.value().path() == path);
      CHECK(connect_to(path, type) == 0);
    }
    CHECK_FALSE(is_there(path));
  }
}

TEST_CASE("unix path: the file has the mode that was asked for, whatever the umask") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  for (const mode_t mask : {0U, 022U, 0777U}) {
    for (const mode_t mode : {0660U, 0666U, 0600U, 0777U, 0060U}) {
      const Umask umask(mask);
      const Descriptor socket = make_socket(SOCK_DGRAM);
      const auto bound =
          UnixPath::bind(socket.get(), path, {.mode = mode, .user = {}, .group = {}});
      REQUIRE(bound);
      CHECK(mode_of(path) == mode);
    }
  }
}

TEST_CASE("unix path: the file has no wider rights than it shall, not even while it is made") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  const Umask umask(0);
  std::atomic<mode_t> seen = 0;
  const std::jthread watcher([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      struct stat there {};
      if (lstat(path.c_str(), &there) == 0) seen |= there.st_mode & 0777;
    }
  });
  // A watcher may miss a moment, but never makes one up.
  for (int round = 0; round < 1000; ++round) {
    const Descriptor socket = make_socket(SOCK_DGRAM);
    const auto bound = UnixPath::bind(socket.get(), path, {.mode = 0620, .user = {}, .group = {}});
    REQUIRE(bound);
  }
  CHECK((seen & ~0620U) == 0);
}

TEST_CASE("unix path: the file has the owner and group that were asked for") {
  if (geteuid() != 0) return;  // only root may give files away
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  const Descriptor socket = make_socket(SOCK_STREAM);
  const auto bound = UnixPath::bind(socket.get(), path, {.mode = 0640, .user = 4711, .group = 815});
  REQUIRE(bound);
  CHECK(stat_of(path).st_uid == 4711);
  CHECK(stat_of(path).st_gid == 815);
  CHECK(mode_of(path) == 0640);
}

TEST_CASE("unix path: a socket that no one listens on any more is replaced, whatever its type") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  for (const int stale : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    for (const int type : both_types) {
      foreign_socket(path, stale);
      CHECK(connect_to(path, stale) == ECONNREFUSED);
      const Descriptor socket = make_socket(type);
      const auto bound = UnixPath::bind(socket.get(), path, {});
      REQUIRE(bound);
      CHECK(connect_to(path, type) == 0);
    }
  }
}

TEST_CASE("unix path: a socket that is alive keeps its file, whatever its type") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  for (const int alive : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    for (const int type : both_types) {
      const Descriptor socket = foreign_socket(path, alive);
      const ino_t inode = stat_of(path).st_ino;
      const Error error = error_of(path, type);
      CHECK(error.code == EADDRINUSE);
      CHECK(says(error, path + ": cannot listen: another program (another tallyd?) listens there"));
      CHECK(stat_of(path).st_ino == inode);
      CHECK(connect_to(path, alive) == 0);
      unlink(path.c_str());
    }
  }
}

TEST_CASE("unix path: a live socket whose queue of newcomers is full is alive") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  const Descriptor socket = foreign_socket(path, SOCK_STREAM);
  while (connect_to(path, SOCK_STREAM) == 0) {
  }
  CHECK(connect_to(path, SOCK_STREAM) == EAGAIN);
  CHECK(error_of(path).code == EADDRINUSE);
  CHECK(is_there(path));
}

TEST_CASE("unix path: a datagram socket that listens to one peer only is alive") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  const Descriptor peer = foreign_socket(directory.path() + "/peer", SOCK_DGRAM);
  const Descriptor socket = foreign_socket(path, SOCK_DGRAM);
  const sockaddr_un address = address_of(directory.path() + "/peer");
  REQUIRE(connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  CHECK(connect_to(path, SOCK_DGRAM) == EPERM);
  CHECK(error_of(path, SOCK_DGRAM).code == EADDRINUSE);
  CHECK(is_there(path));
}

TEST_CASE("unix path: what is no socket is left alone, and so is a link to one") {
  const TemporaryDirectory directory;
  const std::string file = directory.write("file", "precious");
  const std::string folder = directory.path() + "/folder";
  const std::string link = directory.path() + "/link";
  REQUIRE(mkdir(folder.c_str(), 0700) == 0);
  foreign_socket(directory.path() + "/stale", SOCK_STREAM);
  REQUIRE(symlink((directory.path() + "/stale").c_str(), link.c_str()) == 0);
  for (const std::string& path : {file, folder, link}) {
    const Error error = error_of(path);
    CHECK(error.code == EEXIST);
    CHECK(says(error, path + ": cannot listen: it is there and is no socket; remove it or"));
    CHECK(is_there(path));
  }
  CHECK(is_there(directory.path() + "/stale"));
}

TEST_CASE("unix path: a file that is not the one that was made is not removed at the end") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  const Descriptor socket = make_socket(SOCK_STREAM);
  {
    const auto bound = UnixPath::bind(socket.get(), path, {});
    REQUIRE(bound);
    // Not unlinked, so that the newcomer cannot get the same inode.
    REQUIRE(rename(path.c_str(), (path + ".old").c_str()) == 0);
    foreign_socket(path, SOCK_STREAM);
  }
  CHECK(is_there(path));
}

TEST_CASE("unix path: who is moved from removes nothing") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  const Descriptor socket = make_socket(SOCK_STREAM);
  std::vector<UnixPath> kept;
  {
    auto bound = UnixPath::bind(socket.get(), path, {});
    REQUIRE(bound);
    kept.push_back(std::move(bound).value());
  }
  CHECK(is_there(path));
  kept.clear();
  CHECK_FALSE(is_there(path));
}

TEST_CASE("unix path: what cannot be a path is an error that says why") {
  const TemporaryDirectory directory;
  const std::string missing = directory.path() + "/missing/s";
  CHECK(says(error_of(missing), missing +
                                    ": cannot listen: No such file or directory; make the "
                                    "directory " +
                                    directory.path() + "/missing and let tallyd write to it"));
  const std::string file = directory.write("file", "");
  CHECK(error_of(file + "/s").code == ENOTDIR);
  CHECK(says(error_of("/" + std::string(107, 'x')), "has 108 bytes and the kernel takes 107"));
  CHECK(says(error_of("@" + std::string(107, 'x')), "has 108 bytes and the kernel takes 107"));
  CHECK(says(error_of(""), "without a name"));
  CHECK(says(error_of("@"), "without a name"));
  CHECK(says(error_of(std::string("/tmp/a\0b", 8)), "\"/tmp/a\\x00b\": cannot listen"));
}

TEST_CASE("unix path: the longest path is taken whole") {
  const TemporaryDirectory directory;
  std::string path = directory.path() + "/";
  path += std::string(107 - path.size(), 'x');
  const Descriptor socket = make_socket(SOCK_DGRAM);
  const auto bound = UnixPath::bind(socket.get(), path, {});
  REQUIRE(bound);
  CHECK(is_there(path));
}

TEST_CASE("unix path: an abstract name has no file, and one owner at a time") {
  const std::string name = "@tallyd-test-" + std::to_string(getpid());
  for (const int type : both_types) {
    Descriptor socket = make_socket(type);
    const auto bound = UnixPath::bind(socket.get(), name, {});
    REQUIRE(bound);
    CHECK_FALSE(is_there(name));
    const Error error = error_of(name, type);
    CHECK(error.code == EADDRINUSE);
    CHECK(says(error, name + ": cannot listen: Address already in use; another program"));

    sockaddr_un address = address_of(name);
    address.sun_path[0] = '\0';
    const Descriptor client = make_socket(type);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    CHECK(connect(client.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
  }
}

TEST_CASE("unix path: of several that start at once over a stale file exactly one gets the name") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  constexpr int rounds = 300;
  constexpr std::size_t daemons = 4;
  for (int round = 0; round < rounds; ++round) {
    const int type = both_types[static_cast<std::size_t>(round) % 2];
    foreign_socket(path, type);
    std::vector<std::optional<UnixPath>> won(daemons);
    std::vector<Descriptor> sockets;
    for (std::size_t i = 0; i < daemons; ++i) sockets.push_back(make_socket(type));
    std::barrier start(static_cast<std::ptrdiff_t>(daemons));
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < daemons; ++i) {
      threads.emplace_back([&, i] {
        start.arrive_and_wait();
        auto bound = UnixPath::bind(sockets[i].get(), path, {});
        if (bound) won[i] = std::move(bound).value();
      });
    }
    threads.clear();
    CHECK(std::ranges::count_if(won, [](const auto& owner) { return owner.has_value(); }) == 1);
    CHECK(connect_to(path, type) == 0);
  }
}

TEST_CASE("unix path: a lock that someone else holds on the directory is an error, not a hang") {
  const TemporaryDirectory directory;
  const Descriptor other(open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(flock(other.get(), LOCK_EX) == 0);
  CHECK(says(error_of(directory.path() + "/s"),
             "another program holds a lock on " + directory.path() + ": find it with `lslocks`"));
}

TEST_CASE("unix owner: names and numbers are read, who is unknown is named") {
  struct Row {
    std::string owner;
    std::optional<uid_t> user;
    std::optional<gid_t> group;
  };
  const Row rows[] = {
      {"", {}, {}},      {"root", 0, {}},         {"root:root", 0, 0},
      {":root", {}, 0},  {"4711:815", 4711, 815}, {"4711", 4711, {}},
      {":815", {}, 815}, {"root:815", 0, 815},
  };
  for (const Row& row : rows) {
    CAPTURE(row.owner);
    const auto access = parse_unix_owner(row.owner, 0600);
    REQUIRE(access);
    CHECK((access.value() == UnixAccess{.mode = 0600, .user = row.user, .group = row.group}));
  }
  for (const std::string owner : {"no-such-user", "no-such-user:root", "-1", "4294967295", "1x"}) {
    CAPTURE(owner);
    const auto access = parse_unix_owner(owner, 0600);
    REQUIRE_FALSE(access);
    CHECK(says(access.error(), "user \"" + owner.substr(0, owner.find(':')) + "\""));
  }
  const auto access = parse_unix_owner("root:no-such-group", 0600);
  REQUIRE_FALSE(access);
  CHECK(says(access.error(), "group \"no-such-group\""));
}

TEST_CASE("stream socket: a Unix listener accepts, and a second one on its path is refused") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  {
    const auto first = StreamSocket::open_unix(path, {.mode = 0600, .user = {}, .group = {}});
    REQUIRE(first);
    CHECK(first.value().name() == "unix " + path);
    CHECK(first.value().is_unix());
    const auto second = StreamSocket::open_unix(path, {});
    REQUIRE_FALSE(second);
    CHECK(says(second.error(), "unix " + path + ": cannot listen: another program"));
    CHECK(connect_to(path, SOCK_STREAM) == 0);
  }
  CHECK_FALSE(is_there(path));
}
