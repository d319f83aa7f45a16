#include "statsd_sender.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>

#include "process.hpp"

namespace tally::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t datagram_bytes_max = 1400;
constexpr std::uint64_t sends_per_look = 8;
constexpr std::size_t large_bytes = 2'000;  // too much to send eight of them without a look

int connected_socket(std::uint16_t port, IpVersion version) {
  const int family = version == IpVersion::v4 ? AF_INET : AF_INET6;
  const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  sockaddr_in v4{
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
  const int status = version == IpVersion::v4
                         ? connect(fd, reinterpret_cast<sockaddr*>(&v4), sizeof v4)
                         : connect(fd, reinterpret_cast<sockaddr*>(&v6), sizeof v6);
  REQUIRE(status == 0);
  return fd;
}

}  // namespace

StatsdSender::StatsdSender(std::uint16_t port, IpVersion version, std::size_t queue_bytes_max)
    : fd_(connected_socket(port, version)),
      port_(port),
      version_(version),
      queue_bytes_max_(queue_bytes_max) {}

StatsdSender::~StatsdSender() {
  close(fd_);
}

void StatsdSender::send(std::string_view datagram) {
  if (datagrams_ % sends_per_look == 0 || datagram.size() > large_bytes) {
    REQUIRE(eventually(30s, [this] { return queued_bytes() <= queue_bytes_max_; }));
  }
  send_regardless(datagram);
}

void StatsdSender::send_regardless(std::string_view datagram) {
  const ssize_t sent = ::send(fd_, datagram.data(), datagram.size(), 0);
  REQUIRE(sent == static_cast<ssize_t>(datagram.size()));
  ++datagrams_;
}

void StatsdSender::send_packed(std::string_view line) {
  if (packed_.size() + 1 + line.size() > datagram_bytes_max) flush();
  if (!packed_.empty()) packed_.push_back('\n');
  packed_ += line;
  ++lines_;
}

void StatsdSender::flush() {
  if (packed_.empty()) return;
  send(packed_);
  packed_.clear();
}

void StatsdSender::wait_until_read() const {
  REQUIRE(eventually(30s, [this] { return queued_bytes() == 0; }));
}

std::size_t StatsdSender::queued_bytes() const {
  return udp_queue(port_, version_).bytes;
}

UdpQueue udp_queue(std::uint16_t port, IpVersion version) {
  std::ifstream table(version == IpVersion::v4 ? "/proc/net/udp" : "/proc/net/udp6");
  REQUIRE(table.is_open());
  UdpQueue total;
  std::string line;
  while (std::getline(table, line)) {
    unsigned local_port = 0;
    unsigned remote_port = 0;
    std::size_t waiting = 0;
    unsigned long long drops = 0;
    //  sl  local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
    //  ref pointer drops
    const int fields =
        std::sscanf(line.c_str(),
                    "%*s %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%x %*x %*x:%zx %*x:%*x %*x %*u %*u %*u "
                    "%*u %*x %llu",
                    &local_port, &remote_port, &waiting, &drops);
    if (fields != 4 || local_port != port || remote_port != 0) continue;
    total.bytes += waiting;
    total.drops += drops;
  }
  return total;
}

}  // namespace tally::testing
