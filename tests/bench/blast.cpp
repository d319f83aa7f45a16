// The load generator: sends a workload to a UDP port of 127.0.0.1 at a steady rate and says exactly
// what it sent. It spins between sends, so give it a core of its own.
//
//     bench_blast --port P --workload A..E [--rate PACKETS/S] [--seconds S] [--cycles N]
//                 [--kinds ctgsh] [--burst N] [--sources N] [--core N] [--socket-fd FD] [--gaps 1]
//                 [--segments 0]
//
//     --rate       0 (default): as fast as it can
//     --seconds    when it stops (default 1, at most 600)
//     --cycles     stops after so many cycles of the workload, if that is earlier
//     --kinds      of metrics, in place of the workload's: c, t(imer), g, s, h
//     --burst      packets a system call, at most (default: 64, or what fits into 64 KiB)
//     --sources    sends from as many ports in turn (default 1)
//     --socket-fd  an inherited descriptor of the receiver's socket: reports what waits in it when
//                  the last packet is out, and with --gaps for how long nobody read
//     --segments   0 sends with sendmmsg, as it does by itself where the kernel has no UDP_SEGMENT
//
// On loopback the sender pays for the receiver's IP stack. One buffer that the kernel cuts into
// equal datagrams (UDP_SEGMENT) passes it once; sendmmsg, once a datagram, loads no fast receiver.
//
// A sender that was held up does not make up for more than 1 ms of it: that would be a burst nobody
// asked for. What it really reached is in its answer, one line of JSON.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "queue_watch.hpp"
#include "tool.hpp"
#include "workload.hpp"

using namespace tally::bench;

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;
using std::chrono::duration_cast;

constexpr std::size_t segments_max = 64;  // the kernel's own limit until 6.8, UDP_MAX_SEGMENTS
constexpr std::size_t buffer_bytes_max = 65'507;
constexpr Clock::duration debt_max = std::chrono::milliseconds(1);
constexpr Clock::duration watch_interval = std::chrono::microseconds(20);

std::vector<int> open_sockets(std::size_t count, double port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<int> sockets(count);
  for (int& fd : sockets) {
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      fail("cannot make a socket to port " + std::to_string(ntohs(address.sin_port)), errno);
  }
  return sockets;
}

/// Sends runs of packets that lie one behind the other.
class Sender {
 public:
  Sender(std::vector<int> sockets, std::size_t packet_bytes, bool with_segments)
      : sockets_(std::move(sockets)), packet_bytes_(packet_bytes), with_segments_(with_segments) {
    const int size = static_cast<int>(packet_bytes);
    for (const int fd : sockets_) {
      const bool can = setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) == 0;
      with_segments_ = with_segments_ && can;
    }
    if (!with_segments_) switch_segments_off();
  }

  bool with_segments() const { return with_segments_; }

  /// Returns how many datagrams the kernel took.
  std::size_t send(std::string_view packets) {
    const int fd = sockets_[next_socket_++ % sockets_.size()];
    return with_segments_ ? send_cut(fd, packets) : send_each(fd, packets);
  }

 private:
  void switch_segments_off() {
    with_segments_ = false;
    const int off = 0;
    for (const int fd : sockets_) setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof off);
  }

  std::size_t send_cut(int fd, std::string_view packets) {
    const ssize_t sent = ::send(fd, packets.data(), packets.size(), 0);
    if (sent >= 0) return static_cast<std::size_t>(sent) / packet_bytes_;
    if (is_passing(errno)) return 0;
    if (errno != EIO && errno != EINVAL && errno != EOPNOTSUPP) fail("cannot send", errno);
    switch_segments_off();  // a device on the way cannot do it
    return send_each(fd, packets);
  }

  std::size_t send_each(int fd, std::string_view packets) {
    const std::size_t count = packets.size() / packet_bytes_;
    std::array<iovec, segments_max> slices{};
    std::array<mmsghdr, segments_max> headers{};
    for (std::size_t i = 0; i < count; ++i) {
      // The interface is C's: sending changes nothing.
      slices[i] = {const_cast<char*>(packets.data()) + i * packet_bytes_, packet_bytes_};
      headers[i].msg_hdr.msg_iov = &slices[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = sendmmsg(fd, headers.data(), static_cast<unsigned>(count), 0);
    if (sent < 0 && !is_passing(errno)) fail("cannot send", errno);
    return static_cast<std::size_t>(std::max(sent, 0));
  }

  static bool is_passing(int error) {
    return error == EINTR || error == ENOBUFS || error == EAGAIN;
  }

  std::vector<int> sockets_;
  std::size_t packet_bytes_;
  bool with_segments_;
  std::size_t next_socket_ = 0;
};

struct Plan {
  double rate = 0;  // packets a second; 0: no limit
  Clock::duration length{};
  std::uint64_t packets_max = 0;
  std::size_t burst = 1;
  int socket_fd = -1;
  bool with_gaps = false;
};

struct Outcome {
  std::uint64_t packets = 0;
  Clock::duration lasted{};
  Clock::duration held_up{};  // what was not made up for
  double cpu_seconds = 0;     // below `lasted`: something else ran on our core
  Queue queue;                // of the receiver, right after the last packet
  std::uint32_t queue_bytes_max = 0;
  std::vector<double> gap_ms_by_second;
};

/// One run of a plan.
class Blast {
 public:
  Blast(const Workload& workload, const Plan& plan, Sender& sender)
      : workload_(workload), plan_(plan), sender_(sender), start_(Clock::now()), watch_(start_) {}

  Outcome run() {
    Clock::time_point now = start_;
    while (now - start_ < plan_.length && outcome_.packets < plan_.packets_max) {
      now = wait_until(due(now));
      outcome_.packets += sender_.send(next_packets());
    }
    outcome_.cpu_seconds = cpu_seconds() - cpu_before_;
    outcome_.lasted = std::max(Clock::now() - start_, Clock::duration(1));
    if (plan_.socket_fd >= 0) outcome_.queue = queue_of(plan_.socket_fd);
    outcome_.queue_bytes_max = watch_.bytes_max();
    outcome_.gap_ms_by_second = watch_.gap_ms_by_second();
    return std::move(outcome_);
  }

 private:
  static double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }

  // When the next packet is due: on an even grid from the start, but for what we were held up.
  Clock::time_point due(Clock::time_point now) {
    if (plan_.rate <= 0) return now;
    const duration<double> after(static_cast<double>(outcome_.packets) / plan_.rate);
    const auto on_grid = start_ + duration_cast<Clock::duration>(after) + outcome_.held_up;
    if (now - on_grid > debt_max) outcome_.held_up += now - on_grid;
    return on_grid;
  }

  Clock::time_point wait_until(Clock::time_point due) {
    Clock::time_point now = Clock::now();
    if (plan_.with_gaps) look(now);
    while (now < due) {
      now = Clock::now();
      if (plan_.with_gaps) look(now);
    }
    return now;
  }

  // Not at each turn: the queue lies in cache lines that the receiver writes to.
  void look(Clock::time_point now) {
    if (now < next_look_) return;
    next_look_ = now + watch_interval;
    watch_.see(queue_of(plan_.socket_fd).bytes, first_of(plan_.socket_fd), now);
  }

  std::string_view next_packets() const {
    const std::size_t at = outcome_.packets % workload_.packets();
    const std::uint64_t count = std::min<std::uint64_t>(
        {plan_.burst, workload_.packets() - at, plan_.packets_max - outcome_.packets});
    return std::string_view(workload_.bytes)
        .substr(at * workload_.packet_bytes, count * workload_.packet_bytes);
  }

  const Workload& workload_;
  const Plan& plan_;
  Sender& sender_;
  Clock::time_point start_;
  double cpu_before_ = cpu_seconds();
  Clock::time_point next_look_{};
  QueueWatch watch_;
  Outcome outcome_;
};

Plan read_plan(const Arguments& arguments, const Workload& workload) {
  const std::size_t burst_max = std::min(segments_max, buffer_bytes_max / workload.packet_bytes);
  const double burst = arguments.number("burst", static_cast<double>(burst_max));
  const double seconds = std::min(arguments.number("seconds", 1), 600.0);
  Plan plan{.rate = arguments.number("rate", 0),
            .length = duration_cast<Clock::duration>(duration<double>(seconds)),
            .packets_max =
                static_cast<std::uint64_t>(arguments.number("cycles", 1e9)) * workload.packets(),
            .burst = std::clamp<std::size_t>(static_cast<std::size_t>(burst), 1, burst_max),
            .socket_fd = static_cast<int>(arguments.number("socket-fd", -1)),
            .with_gaps = arguments.number("gaps", 0) > 0};
  if (plan.with_gaps && plan.socket_fd < 0) fail("--gaps needs --socket-fd");
  return plan;
}

double seconds_of(Clock::duration time) {
  return duration<double>(time).count();
}

void report(const Outcome& outcome, const Workload& workload, bool with_segments) {
  std::string gaps;
  for (const double gap_ms : outcome.gap_ms_by_second) {
    if (!gaps.empty()) gaps += ", ";
    gaps += std::to_string(gap_ms);
  }
  std::printf(
      "{\"packets\": %llu, \"metrics\": %llu, \"counter_total\": %llu, "
      "\"seconds\": %.6f, \"held_up_seconds\": %.6f, "
      "\"cpu_seconds\": %.6f, "
      "\"mode\": \"%s\", \"queue_bytes_at_end\": %u, \"queue_bytes_max\": %u, "
      "\"gap_ms_by_second\": [%s]}\n",
      static_cast<unsigned long long>(outcome.packets),
      static_cast<unsigned long long>(workload.metrics_of(outcome.packets)),
      static_cast<unsigned long long>(counter_total(workload, outcome.packets)),
      seconds_of(outcome.lasted), seconds_of(outcome.held_up), outcome.cpu_seconds,
      with_segments ? "UDP_SEGMENT" : "sendmmsg", outcome.queue.bytes, outcome.queue_bytes_max,
      gaps.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(
      argc, argv,
      "port workload kinds rate seconds cycles burst sources core socket-fd gaps segments");
  const std::string letter = arguments.text("workload", "");
  const std::string kinds = arguments.text("kinds", "");
  if (kinds.find_first_not_of("ctgsh") != std::string::npos) fail("--kinds is some of ctgsh");
  const auto workload = letter.size() == 1 ? make_workload(letter[0], kinds) : std::nullopt;
  if (!workload) fail("--workload is one of A to F");
  const Plan plan = read_plan(arguments, *workload);
  const auto sources = static_cast<std::size_t>(arguments.number("sources", 1));
  pin_to_core(static_cast<int>(arguments.number("core", -1)));
  Sender sender(open_sockets(std::clamp<std::size_t>(sources, 1, 64), arguments.number("port", 0)),
                workload->packet_bytes, arguments.number("segments", 1) > 0);
  report(Blast(*workload, plan, sender).run(), *workload, sender.with_segments());
}
