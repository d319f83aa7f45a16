#include "tools/capture.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <ostream>
#include <string>

#include "posix/descriptor.hpp"
#include "tally/text.hpp"
#include "tools/complaint.hpp"
#include "tools/pcap.hpp"
#include "tools/web.hpp"

namespace tally {
namespace {

/// The file that a stream of pcap goes to. "-" is standard output.
class CaptureFile {
 public:
  explicit CaptureFile(std::string name) : name_(std::move(name)) {}

  /// Whether more is wanted. The file is made with the first piece: one of an earlier capture stays
  /// when nothing answers.
  bool take(std::string_view piece) {
    if (!fd_) open();
    if (!failed_) failed_ = write(piece);
    if (!failed_)
      failed_ = reader_.take(piece, [this](const CapturedPacket&) {
        ++packets_;
        return true;
      });
    return !failed_;
  }

  /// Cuts off a packet that did not come whole.
  void finish() {
    const bool has_part = reader_.header() && reader_.is_cut_short();
    if (has_part && ftruncate(fd_.get(), static_cast<off_t>(reader_.whole_bytes())) != 0)
      is_cut_short_ = true;  // a pipe
  }

  const Status& failed() const { return failed_; }

  std::string in_words() const {
    return fmt::format("{} packets, {} bytes, in {}{}", with_commas(packets_),
                       with_commas(reader_.whole_bytes()), quote(name_),
                       is_cut_short_ ? ", and a part of one" : "");
  }

 private:
  void open() {
    fd_ = Descriptor(name_ == "-"
                         ? dup(STDOUT_FILENO)
                         : ::open(name_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd_) failed_ = Error{"cannot write " + quote(name_) + ": " + std::strerror(errno)};
  }

  Status write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Error{"cannot write " + quote(name_) + ": " + std::strerror(errno)};
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  std::string name_;
  Descriptor fd_{-1};
  PcapReader reader_;
  std::uint64_t packets_ = 0;
  bool is_cut_short_ = false;
  Status failed_;
};

/// What is asked for. Bounds that are not given are the server's.
Result<std::string> target_of(const Arguments& arguments) {
  std::string target = "/api/v1/capture";
  const auto seconds = arguments.number("seconds", {.otherwise = 0, .least = 1, .most = 3600});
  if (!seconds) return seconds.error();
  if (seconds.value() > 0) target += fmt::format("?seconds={}", seconds.value());
  if (!arguments.has("bytes")) return target;
  const Result<std::uint64_t> bytes = parse_size(arguments.value("bytes"));
  if (!bytes) return Error{"--bytes: " + bytes.error().message};
  return target + fmt::format("{}bytes={}", seconds.value() > 0 ? "&" : "?", bytes.value());
}

}  // namespace

int run_capture(const Arguments& arguments, const Config& config, std::ostream& err) {
  const Result<std::string> target = target_of(arguments);
  if (!target) return complain(err, target.error(), exit_usage);
  const Result<Site> site = site_of(arguments, config);
  if (!site) return complain(err, site.error(), exit_usage);
  CaptureFile file(arguments.words[0]);
  const std::optional<Response> answer = follow(
      site.value(), target.value(), [&](std::string_view piece) { return file.take(piece); });
  file.finish();
  if (file.failed()) return complain(err, *file.failed(), exit_failed);
  const Status problem = answer ? problem_of(*answer, site.value()) : Status();
  if (!problem || answer->status == 200) err << "tallyd: " << file.in_words() << '\n';
  return problem ? complain(err, *problem, exit_failed) : 0;
}

}  // namespace tally
