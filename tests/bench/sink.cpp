// The do-nothing receiver: what the kernel can deliver to one core, and so the measure for tallyd.
//
//     bench_sink [--core N]
//
// Binds a free port of 127.0.0.1 and prints "port N". Receives in batches of 64 until SIGTERM or
// SIGINT; when it has read all it sleeps for 1 ms, as tallyd does under load: else each packet
// would find it asleep, and the sender, who pays for the waking, would be what is measured. Then it
// reads what still waits, prints one line of JSON and ends:
//
//     {"datagrams": received, "bytes": theirs, "dropped": by the kernel}
//
// Who sends has stopped before the signal; then sent = datagrams + dropped, exactly.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>
#include <vector>

#include <poll.h>

#include "tool.hpp"

using namespace tally::bench;

namespace {

constexpr std::size_t batch_max = 64;
constexpr std::size_t datagram_bytes_max = 2048;
constexpr int receive_buffer_bytes = 32 << 20;
constexpr std::chrono::milliseconds nap{1};

struct Counts {
  std::uint64_t datagrams = 0;
  std::uint64_t bytes = 0;
};

// The same way to its buffer as tallyd's: with the right to it regardless of net.core.rmem_max.
void ask_for_buffer(int fd) {
  const int bytes = receive_buffer_bytes;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

int open_socket() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("cannot make a socket", errno);
  ask_for_buffer(fd);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0) fail("cannot bind", errno);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("port %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

// The signals wait to be read, so that none falls between a test and a sleep.
int open_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_NONBLOCK);
}

class Sink {
 public:
  explicit Sink(int fd) : fd_(fd), memory_(batch_max * datagram_bytes_max) {
    for (std::size_t i = 0; i < batch_max; ++i) {
      slices_[i] = {memory_.data() + i * datagram_bytes_max, datagram_bytes_max};
      headers_[i].msg_hdr.msg_iov = &slices_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  /// Reads until the queue is empty.
  void drain() {
    while (true) {
      const int count = recvmmsg(fd_, headers_.data(), batch_max, MSG_DONTWAIT, nullptr);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      if (count < 0) fail("cannot receive", errno);
      counts_.datagrams += static_cast<std::uint64_t>(count);
      for (int i = 0; i < count; ++i)
        counts_.bytes += headers_[static_cast<std::size_t>(i)].msg_len;
    }
  }

  const Counts& counts() const { return counts_; }

 private:
  int fd_;
  std::vector<char> memory_;
  std::array<iovec, batch_max> slices_{};
  std::array<mmsghdr, batch_max> headers_{};
  Counts counts_;
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv, "core");
  pin_to_core(static_cast<int>(arguments.number("core", -1)));
  const int signals = open_signals();
  const int fd = open_socket();
  Sink sink(fd);
  std::array<pollfd, 2> waits{pollfd{fd, POLLIN, 0}, pollfd{signals, POLLIN, 0}};
  while (waits[1].revents == 0) {
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) fail("cannot wait", errno);
    sink.drain();
    std::this_thread::sleep_for(nap);
  }
  sink.drain();
  std::printf("{\"datagrams\": %llu, \"bytes\": %llu, \"dropped\": %u}\n",
              static_cast<unsigned long long>(sink.counts().datagrams),
              static_cast<unsigned long long>(sink.counts().bytes), queue_of(fd).drops);
}
