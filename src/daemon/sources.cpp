#include "daemon/sources.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tally/text.hpp"

namespace tally {
namespace {

constexpr std::size_t config_bytes_max = 1 << 20;
constexpr std::size_t secret_bytes_max = 4096;

/// A file descriptor that closes itself.
class File {
 public:
  explicit File(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

Error cannot_read(const std::string& path) {
  return Error{"cannot read " + quote(path) + ": " + std::strerror(errno), errno};
}

/// A file of at most `bytes_max` bytes; a pipe is fine too.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const File file(path);
  if (file.fd() < 0) return cannot_read(path);
  std::string text;
  std::array<char, 16384> buffer;
  while (text.size() <= bytes_max) {
    const ssize_t got = read(file.fd(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(path);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return Error{"cannot read " + quote(path) + ": it is larger than " + as_size(bytes_max)};
}

// Kubernetes sets these in every pod beside a Service whose name begins with "tallyd":
// TALLYD_STATSD_SERVICE_HOST, TALLYD_STATSD_PORT=udp://.., TALLYD_STATSD_PORT_8125_UDP_ADDR. A port
// alone is a mistake of somebody who looks for a key, and must be told.
bool is_of_kubernetes(std::string_view name, std::string_view value) {
  if (name.starts_with("TALLYD_TAGS_")) return false;
  if (name.starts_with("TALLYD_SERVICE_") || name.starts_with("TALLYD_PORT")) return true;
  if (name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != name.npos) return true;
  if (name.ends_with("_PORT") && value.find("://") != value.npos) return true;
  const std::size_t port = name.find("_PORT_");
  const std::size_t number = port + std::string_view("_PORT_").size();
  return port != name.npos && number < name.size() && name[number] >= '0' && name[number] <= '9';
}

std::vector<std::pair<std::string, std::string>> own_variables(const char* const* environment) {
  std::vector<std::pair<std::string, std::string>> found;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (!entry.starts_with("TALLYD_")) continue;
    const std::size_t equals = std::min(entry.find('='), entry.size());
    const std::string_view name = entry.substr(0, equals);
    const std::string_view value = entry.substr(std::min(equals + 1, entry.size()));
    if (!is_of_kubernetes(name, value)) found.emplace_back(name, value);
  }
  std::ranges::sort(found);  // so that of two mistakes the same one is told each time
  return found;
}

bool is_readable_by_all(const std::string& path) {
  struct stat about {};
  return stat(path.c_str(), &about) == 0 && (about.st_mode & S_IROTH) != 0;
}

}  // namespace

Result<ConfigSources> read_sources(const std::optional<std::string>& file,
                                   std::vector<std::string> sets, const char* const* environment) {
  ConfigSources sources;
  sources.environment = own_variables(environment);
  sources.sets = std::move(sets);
  const std::string path = file.value_or(std::string(default_config_file));
  Result<std::string> text = read_file(path, config_bytes_max);
  if (!text) {
    if (!file && text.error().code == ENOENT) return sources;
    return Error{text.error().message + "; --config names the file to read"};
  }
  sources.file_name = path;
  sources.file_text = std::move(text).value();
  return sources;
}

Result<std::string> read_secret(const std::string& path, std::string_view key) {
  Result<std::string> text = read_file(path, secret_bytes_max);
  if (!text) return Error{fmt::format("{}; see {}", text.error().message, key), text.error().code};
  std::string secret = std::move(text).value();
  const std::size_t line_end = secret.ends_with("\r\n") ? 2 : secret.ends_with('\n') ? 1 : 0;
  secret.resize(secret.size() - line_end);
  if (secret.empty()) return Error{fmt::format("{} is empty; see {}", quote(path), key)};
  return secret;
}

std::optional<std::string> exposed_password(const LoadedConfig& loaded) {
  for (std::size_t i = 0; i < loaded.config.influxdb.size(); ++i) {
    const Config::Influxdb& each = loaded.config.influxdb[i];
    for (const std::string_view key : {"password", "token"}) {
      if ((key == "token" ? each.token : each.password).empty()) continue;
      const auto origin = loaded.origins.find(origin_key(i, key));
      if (origin == loaded.origins.end()) continue;
      const std::size_t colon = origin->second.rfind(':');  // "/etc/tallyd/tallyd.toml:12"
      if (colon == std::string::npos) continue;             // "TALLYD_INFLUXDB_PASSWORD", "--set"
      const std::string path = origin->second.substr(0, colon);
      if (!is_readable_by_all(path)) continue;
      return fmt::format(
          "{} holds influxdb.{} and every user of this host can read it: chmod o-r it, or use "
          "influxdb.{}_file",
          quote(path), key, key);
    }
  }
  return {};
}

std::string spool_root(const Config& config) {
  if (!config.spool.directory.empty()) return config.spool.directory;
  const char* const state = std::getenv("STATE_DIRECTORY");
  if (state == nullptr || *state == '\0') return "";
  const std::string_view all = state;  // systemd puts ':' between several
  return std::string(all.substr(0, all.find(':'))) + "/spool";
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  std::string host = name.data();
  for (char& c : host)
    if (static_cast<unsigned char>(c) < 0x21 || static_cast<unsigned char>(c) > 0x7e || c == '\\')
      c = '_';
  return host;
}

std::vector<StaticTag> effective_tags(const Config& config) {
  std::vector<StaticTag> tags = config.tags;
  for (StaticTag& tag : tags)
    if (tag.key == "host" && tag.value == "auto") tag.value = host_name();
  std::erase_if(tags, [](const StaticTag& tag) { return tag.value.empty(); });
  return tags;
}

}  // namespace tally
