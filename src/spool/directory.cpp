#include "spool/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <tuple>
#include <utility>

namespace tally {
namespace {

constexpr mode_t directory_mode = 0700;
constexpr mode_t file_mode = 0600;

Error unsafe(const std::string& path, const std::string& why) {
  return {"spool " + path + ": " + why};
}

/// "/a/b/c" makes /a, /a/b and /a/b/c. What fails is found when it is opened.
void make_directories(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    mkdir(path.substr(0, end).c_str(), directory_mode);
    if (end == std::string::npos) return;
  }
}

/// A directory that others can write to is one where they can put files, and points, of theirs.
Status check_directory(int directory, const std::string& path, bool is_parent) {
  struct stat info {};
  if (fstat(directory, &info) != 0) return unsafe(path, std::strerror(errno));
  const bool is_ours = info.st_uid == geteuid() || (is_parent && info.st_uid == 0);
  if (!is_ours)
    return unsafe(path, "it belongs to user " + std::to_string(info.st_uid) +
                            " and tallyd runs as user " + std::to_string(geteuid()) +
                            ": chown it, or choose another directory");
  const bool is_sticky = is_parent && (info.st_mode & S_ISVTX) != 0;
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !is_sticky)
    return unsafe(path, "others may write to it: chmod go-w it, or choose another directory");
  return {};
}

/// Opens one directory; `at` is the one above it or AT_FDCWD.
Result<Descriptor> open_directory(int at, const std::string& name, const std::string& path) {
  Descriptor opened(openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (opened) return opened;
  const int code = errno;
  struct stat info {};
  if (fstatat(at, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode))
    return unsafe(path, "it is a symbolic link, which is not followed: name its target instead");
  return Error{"spool " + path + ": " + std::strerror(code) +
                   "; give tallyd a directory that it can write to",
               code};
}

struct Parts {
  std::string parent;
  std::string name;
};

Parts split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, std::max<std::size_t>(slash, 1)), path.substr(slash + 1)};
}

/// With `makes`, the directory is made once the one above it is known to be safe: never through a
/// link in its place.
Result<Descriptor> open_checked(const std::string& path, bool makes) {
  const Parts parts = split(path);
  const Result<Descriptor> parent = open_directory(AT_FDCWD, parts.parent, parts.parent);
  if (!parent) return parent.error();
  if (Status bad = check_directory(parent.value().get(), parts.parent, true)) return *bad;
  if (makes) mkdirat(parent.value().get(), parts.name.c_str(), directory_mode);
  Result<Descriptor> directory = open_directory(parent.value().get(), parts.name, path);
  if (!directory) return directory.error();
  if (Status bad = check_directory(directory.value().get(), path, false)) return *bad;
  return directory;
}

std::string without_slashes_at_end(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

bool order(const SegmentFile& a, const SegmentFile& b) {
  const SegmentHeader& left = a.head.header;
  const SegmentHeader& right = b.head.header;
  return std::tie(left.number, left.created_ns, left.random, a.name) <
         std::tie(right.number, right.created_ns, right.random, b.name);
}

}  // namespace

int write_all(int file, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;  // not for a regular file; and no endless loop if it is
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return 0;
}

void read_range(int file, std::uint64_t begin, std::uint64_t end, std::string& bytes) {
  constexpr std::size_t sector = 4096;  // what a disk that cannot read gives up at least
  bytes.resize(end - begin);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        pread(file, &bytes[done], bytes.size() - done, static_cast<off_t>(begin + done));
    if (got < 0 && errno == EINTR) continue;
    if (got > 0) {
      done += static_cast<std::size_t>(got);
      continue;
    }
    const std::size_t lost = got == 0 ? bytes.size() - done : std::min(sector, bytes.size() - done);
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(done), lost, '\0');
    done += lost;
  }
}

std::string segment_name(std::uint64_t number) {
  return fmt::format("seg-{:016}.lp", number);
}

std::uint64_t segment_number(std::string_view name) {
  std::uint64_t number = 0;
  constexpr std::string_view prefix = "seg-";
  if (name.starts_with(prefix))
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
  return number;
}

Result<SpoolDirectory> SpoolDirectory::look(const std::string& path) {
  return look(path, false);
}

Result<SpoolDirectory> SpoolDirectory::look(const std::string& path, bool makes) {
  const std::string clean = without_slashes_at_end(path);
  Result<Descriptor> directory = open_checked(clean, makes);
  if (!directory) return directory.error();
  return SpoolDirectory(clean, std::move(directory).value());
}

Result<SpoolDirectory> SpoolDirectory::open(const std::string& path) {
  make_directories(split(without_slashes_at_end(path)).parent);
  Result<SpoolDirectory> opened = look(path, true);
  if (!opened) return opened;
  if (Status failed = opened.value().lock()) return *failed;
  return opened;
}

Result<SpoolDirectory> SpoolDirectory::twin() const {
  Descriptor again(fcntl(fd(), F_DUPFD_CLOEXEC, 3));
  if (!again) return error(".", "cannot be opened again", errno);
  return SpoolDirectory(path_, std::move(again));
}

Status SpoolDirectory::try_to_make(const std::string& path) {
  const std::string clean = without_slashes_at_end(path);
  std::string above = split(clean).parent;
  const bool is_parent_there = access(above.c_str(), F_OK) == 0;
  while (access(above.c_str(), F_OK) != 0 && errno == ENOENT && above != "/" && above != ".")
    above = split(above).parent;
  if (access(above.c_str(), W_OK | X_OK) != 0) {
    const int code = errno;
    return Error{"spool " + clean + ": cannot be made in " + above + ": " + std::strerror(code) +
                     "; give tallyd a directory that it can write to",
                 code};
  }
  if (!is_parent_there) return {};  // what is made on the way is ours
  const Result<Descriptor> parent = open_directory(AT_FDCWD, above, above);
  if (!parent) return parent.error();
  return check_directory(parent.value().get(), above, true);
}

Status SpoolDirectory::lock() {
  Result<Descriptor> file = open_file("LOCK", O_RDWR | O_CREAT);
  if (!file) return file.error();
  lock_ = std::move(file).value();
  std::array<char, 32> text{};
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) {
    const char* const end = std::to_chars(text.data(), text.data() + text.size(), getpid()).ptr;
    // For the message of who comes second; the lock holds without it.
    if (ftruncate(lock_.get(), 0) == 0)
      write_all(lock_.get(), {text.data(), static_cast<std::size_t>(end - text.data())}, 0);
    return {};
  }
  if (errno != EWOULDBLOCK) return error("LOCK", "cannot be locked", errno);
  const ssize_t got = pread(lock_.get(), text.data(), text.size() - 1, 0);
  long pid = 0;
  if (got > 0) std::from_chars(text.data(), text.data() + got, pid);
  return Error{"spool in use by pid " + (pid > 0 ? std::to_string(pid) : std::string("(unknown)")) +
                   ": " + path_ + "; stop that process, or give each a directory of its own",
               EWOULDBLOCK};
}

Result<std::vector<std::string>> SpoolDirectory::names(std::string_view prefix,
                                                       std::string_view suffix) const {
  // A descriptor of its own: reading a directory moves its offset.
  const int again = openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return error(".", "cannot be listed", errno);
  const auto close_it = [](DIR* stream) { closedir(stream); };
  const std::unique_ptr<DIR, decltype(close_it)> stream(fdopendir(again), close_it);
  if (!stream) {
    close(again);
    return error(".", "cannot be listed", ENOMEM);
  }
  std::vector<std::string> found;
  errno = 0;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name.starts_with(prefix) && name.ends_with(suffix)) found.emplace_back(name);
  }
  if (errno != 0) return error(".", "cannot be listed", errno);
  std::ranges::sort(found);
  return found;
}

Result<Descriptor> SpoolDirectory::open_file(const std::string& name, int flags) const {
  // O_NONBLOCK: a pipe of that name must not hold us up.
  Descriptor file(
      openat(fd(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, file_mode));
  if (!file) return error(name, "cannot be opened", errno);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return error(name, "cannot be opened", errno);
  if (!S_ISREG(info.st_mode)) return error(name, "cannot be opened", EINVAL);
  return file;
}

SegmentFile SpoolDirectory::look_at(const std::string& name) const {
  SegmentFile segment{.name = name, .bytes = 0, .head = {}, .is_blank = false, .error = 0};
  const Result<Descriptor> file = open_file(name, O_RDONLY);
  struct stat info {};
  if (!file || fstat(file.value().get(), &info) != 0) {
    segment.error = file ? errno : file.error().code;
    return segment;
  }
  segment.bytes = static_cast<std::uint64_t>(info.st_size);
  std::string header;
  read_range(file.value().get(), 0, std::min<std::uint64_t>(segment.bytes, segment_header_bytes),
             header);
  segment.head = read_segment_header(header);
  segment.is_blank = header.find_first_not_of('\0') == std::string::npos;
  return segment;
}

Result<std::vector<SegmentFile>> SpoolDirectory::segments() const {
  const Result<std::vector<std::string>> found = names("seg-", ".lp");
  if (!found) return found.error();
  std::vector<SegmentFile> files;
  for (const std::string& name : found.value()) files.push_back(look_at(name));
  std::ranges::sort(files, order);
  return files;
}

Cursor SpoolDirectory::cursor() const {
  const Result<Descriptor> file = open_file("cursor", O_RDONLY);
  if (!file) return {};
  std::string slots;
  read_range(file.value().get(), 0, 2 * cursor_slot_bytes, slots);
  return read_cursor(slots);
}

int SpoolDirectory::remove(const std::string& name) const {
  return unlinkat(fd(), name.c_str(), 0) == 0 ? 0 : errno;
}

int SpoolDirectory::rename(const std::string& from, const std::string& to) const {
  return move_to(*this, from, to);
}

int SpoolDirectory::move_to(const SpoolDirectory& other, const std::string& from,
                            const std::string& to) const {
  // Nothing is overwritten: what lies there under that name was put aside earlier.
  if (renameat2(fd(), from.c_str(), other.fd(), to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  return errno;
}

Error SpoolDirectory::error(std::string_view name, std::string_view what, int code) const {
  std::string message = "spool " + path_ + ": " + std::string(name) + " ";
  message += what;
  return {message + ": " + std::strerror(code), code};
}

}  // namespace tally
