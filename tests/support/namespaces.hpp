#pragma once
// Networks and mounts that only a test sees. Root's business: without the right to make them a test
// is skipped, by `doctest::skip(!may_make_namespaces())`.

#include <cstdint>
#include <string>

namespace tally::testing {

bool may_make_namespaces();

/// A network of its own, with a loopback that is up. What a thread makes while it is `Inside`
/// (sockets, threads, processes) is in it for good.
class Network {
 public:
  Network();
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  int fd() const { return fd_; }
  /// Runs /usr/sbin/ip in it. REQUIREs that it succeeds.
  void ip(const std::string& arguments) const;

 private:
  int fd_;
};

/// This thread is in a network until the end of the scope.
class Inside {
 public:
  explicit Inside(const Network& network);
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  int before_;
};

/// A cable between two networks, whose ends are 10.77.0.1 and 10.77.0.2. Nobody is told when it is
/// cut: what is sent is gone.
class Cable {
 public:
  Cable(const Network& first, const Network& second);
  void cut() const;
  void mend() const;

 private:
  const Network& second_;
};

/// A file system of so many bytes in memory, mounted over a directory for this process and those it
/// starts from now on. One at a time.
class SmallDisk {
 public:
  SmallDisk(std::string directory, std::uint64_t bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& path() const { return path_; }
  /// Writes a file that takes what is left.
  void fill() const;
  void grow(std::uint64_t bytes) const;  ///< to so many

 private:
  std::string path_;
  int before_;  ///< the mounts as they were
  std::string directory_before_;
};

}  // namespace tally::testing
