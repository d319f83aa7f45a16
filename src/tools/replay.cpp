#include "tools/replay.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <limits>
#include <ostream>
#include <string>

#include "posix/descriptor.hpp"
#include "posix/held_signals.hpp"
#include "tally/text.hpp"
#include "tools/complaint.hpp"
#include "tools/packet.hpp"
#include "tools/pcap.hpp"
#include "tools/replay_report.hpp"
#include "tools/statsd_socket.hpp"
#include "tools/target.hpp"

namespace tally {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

struct ReplaySettings {
  double speed = 1;        ///< 0: without a pause
  std::uint64_t port = 0;  ///< 0: all
  std::uint64_t limit = no_limit;
};

Result<double> read_speed(const std::string& text) {
  if (text == "max") return 0.0;
  double speed = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, speed);
  if (error == std::errc() && stopped == end && speed >= 0.001 && speed <= 1e6) return speed;
  return Error{"--speed wants a factor such as 2 or 0.5, or max, not " + quote(text, 80)};
}

Result<ReplaySettings> read_settings(const Arguments& arguments) {
  const Result<double> speed = read_speed(arguments.value("speed", "1"));
  if (!speed) return speed.error();
  const auto port = arguments.number("port", {.otherwise = 0, .least = 1, .most = 65'535});
  if (!port) return port.error();
  const auto limit =
      arguments.number("limit", {.otherwise = no_limit, .least = 1, .most = no_limit});
  if (!limit) return limit.error();
  return ReplaySettings{speed.value(), port.value(), limit.value()};
}

/// Sends packets when they are due.
class Replay {
 public:
  Replay(const ReplaySettings& settings, StatsdSocket& socket)
      : settings_(settings), socket_(socket) {}

  /// To the end of the file, or to what stops it. An error if it could not be read or sent.
  Status read(int fd);

  ReplayReport& report() { return report_; }
  std::chrono::nanoseconds took() const { return Clock::now() - began_; }

 private:
  void wait_for_input(int fd) const;
  Status take(std::string_view piece);
  bool take_packet(const CapturedPacket& packet);
  bool wait_until_due(std::chrono::nanoseconds captured_at);
  bool send(std::string_view payload);

  const ReplaySettings& settings_;
  StatsdSocket& socket_;
  const HeldSignals signals_{SIGINT, SIGTERM};
  const Clock::time_point began_ = Clock::now();
  PcapReader reader_;
  ReplayReport report_;
  Status failed_;          // to send
  bool is_ended_ = false;  // by a signal, the limit or a failure
};

Status Replay::read(int fd) {
  std::array<char, 65536> buffer;
  while (!is_ended_) {
    wait_for_input(fd);
    const ssize_t bytes = ::read(fd, buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return Error{std::string("cannot read it: ") + std::strerror(errno), errno};
    if (bytes == 0) break;
    if (Status error = take({buffer.data(), static_cast<std::size_t>(bytes)})) return error;
  }
  if (!reader_.header()) return Error{"it is no pcap file: it ends before its header does"};
  report_.is_cut_short = !is_ended_ && reader_.is_cut_short();
  return failed_ ? failed_ : socket_.find_refusal();
}

/// While a pipe has nothing to read, signals end the process, as if they were not held.
void Replay::wait_for_input(int fd) const {
  pollfd file{.fd = fd, .events = POLLIN, .revents = 0};
  ppoll(&file, 1, nullptr, &signals_.before());
}

Status Replay::take(std::string_view piece) {
  Status error = reader_.take(
      piece, [this](const CapturedPacket& packet) { return !is_ended_ && take_packet(packet); });
  if (!reader_.header()) return error;
  report_.header = *reader_.header();
  if (!error && link_type_name(report_.header.link_type).empty())
    return Error{"its packets are of link type " + std::to_string(report_.header.link_type) +
                 ", which is not read here; capture with: tcpdump -i any"};
  return error;
}

/// Whether more are wanted.
bool Replay::take_packet(const CapturedPacket& packet) {
  const std::uint16_t link_type = reader_.header()->link_type;
  if (link_type_name(link_type).empty()) return false;
  if (report_.packets++ == 0) report_.first = packet.at;
  report_.last = packet.at;
  const FoundDatagram found = find_datagram(link_type, packet.bytes);
  ++report_.kinds[static_cast<std::size_t>(found.kind)];
  if (found.kind != PacketKind::udp) return true;
  ++report_.ports[found.to_port];
  if (settings_.port != 0 && settings_.port != found.to_port) {
    ++report_.other_ports;
    return true;
  }
  is_ended_ = !wait_until_due(packet.at) || !send(found.payload);
  return !is_ended_;
}

/// False: a signal came first.
bool Replay::wait_until_due(std::chrono::nanoseconds captured_at) {
  using Nanoseconds = std::chrono::duration<double, std::nano>;
  std::chrono::nanoseconds due{0};
  if (settings_.speed > 0)
    due = std::chrono::duration_cast<std::chrono::nanoseconds>(
        Nanoseconds(captured_at - report_.first) / settings_.speed);
  do {
    if (signals_.wait_for(due - took())) return false;
  } while (took() < due);
  return true;
}

/// Whether more may be sent.
bool Replay::send(std::string_view payload) {
  failed_ = socket_.send(payload);
  if (failed_) return false;
  report_.bytes_sent += payload.size();
  return ++report_.sent < settings_.limit;
}

Result<Descriptor> open_file(const std::string& name) {
  Descriptor fd(name == "-" ? dup(STDIN_FILENO) : open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error{std::string("cannot open it: ") + std::strerror(errno), errno};
  return fd;
}

Error about(const std::string& name, const Error& error) {
  return {quote(name) + ": " + error.message, error.code};
}

}  // namespace

int run_replay(const Arguments& arguments, const Config& config, std::ostream& out,
               std::ostream& err) {
  const Result<ReplaySettings> settings = read_settings(arguments);
  if (!settings) return complain(err, settings.error(), exit_usage);
  const Result<Target> target = target_of(arguments, config);
  if (!target) return complain(err, target.error(), exit_usage);
  const std::string& name = arguments.words[0];
  const Result<Descriptor> file = open_file(name);
  if (!file) return complain(err, about(name, file.error()), exit_failed);
  Result<StatsdSocket> socket = StatsdSocket::connect(target.value());
  if (!socket) return complain(err, socket.error(), exit_failed);

  Replay replay(settings.value(), socket.value());
  replay.report().file = name;
  const Status error = replay.read(file.value().get());
  if (replay.report().packets > 0)
    out << in_words(replay.report(), to_string(target.value()), replay.took()) << std::flush;
  if (error) return complain(err, about(name, *error), exit_failed);
  if (replay.report().sent > 0) return 0;
  return complain(err, about(name, Error{"there is nothing in it to send"}), exit_failed);
}

}  // namespace tally
