// The receive path on real sockets: what the kernel really hands over, drops and cuts.

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "receive/receiver.hpp"
#include "receive/udp_socket.hpp"
#include "receive/worker.hpp"

using namespace tally;

namespace {

UdpSocket open_or_fail(const ListenAddress& address, UdpSocket::Options options = {}) {
  auto opened = UdpSocket::open(address, options);
  if (!opened) FAIL(opened.error().message);
  return std::move(opened).value();
}

// A plain client socket on the v4 loopback.
class Client {
 public:
  explicit Client(const UdpSocket& to) : fd_(socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.address().port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view datagram) {
    REQUIRE(::send(fd_, datagram.data(), datagram.size(), 0) ==
            static_cast<ssize_t>(datagram.size()));
  }

 private:
  int fd_;
};

std::vector<std::string> receive_all(Receiver& receiver, int fd) {
  std::vector<std::string> all;
  for (auto got = receiver.receive(fd); !got.datagrams.empty(); got = receiver.receive(fd)) {
    CHECK(got.error == 0);
    for (const Datagram& datagram : got.datagrams) all.emplace_back(datagram.bytes);
  }
  return all;
}

// Collects the parts that workers hand over on their threads.
class Parts {
 public:
  Worker::OnPart box() {
    return [this](WindowPart part) {
      const std::lock_guard lock(mutex_);
      parts_.push_back(std::move(part));
      arrived_.notify_all();
    };
  }
  WindowPart wait_for(std::uint64_t window) {
    std::unique_lock lock(mutex_);
    const auto is_there = [&] { return !parts_.empty() && parts_.front().window == window; };
    REQUIRE(arrived_.wait_for(lock, std::chrono::seconds(30), is_there));
    WindowPart part = std::move(parts_.front());
    parts_.erase(parts_.begin());
    return part;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<WindowPart> parts_;
};

double counter_in(const Table& table, std::string_view name) {
  for (const Table::Entry& entry : table.entries()) {
    if (split_series_key(entry.key).name == name) return std::get<Counter>(entry.aggregate).sum;
  }
  return 0;
}

}  // namespace

TEST_CASE("udp socket: port 0 is replaced by the port that the kernel chose") {
  const UdpSocket v4 = open_or_fail({"127.0.0.1", 0});
  CHECK(v4.address().port != 0);
  CHECK(v4.name() == "127.0.0.1:" + std::to_string(v4.address().port));
  const UdpSocket v6 = open_or_fail({"::1", 0});
  CHECK(v6.name() == "[::1]:" + std::to_string(v6.address().port));
}

TEST_CASE("udp socket: a port in use is an error that names the port and how to find its owner") {
  const UdpSocket first = open_or_fail({"127.0.0.1", 0});
  const auto second = UdpSocket::open(first.address(), {});
  REQUIRE_FALSE(second);
  CHECK(second.error().message.starts_with("udp " + first.name() +
                                           ": cannot listen: Address already in use"));
  CHECK(second.error().message.find("ss -lunp") != std::string::npos);
}

TEST_CASE("udp socket: localhost is both loopbacks and * is all addresses of both families") {
  CHECK(literals_of({"localhost", 1}) == std::vector<ListenAddress>{{"127.0.0.1", 1}, {"::1", 1}});
  CHECK(literals_of({"*", 1}) == std::vector<ListenAddress>{{"0.0.0.0", 1}, {"::", 1}});
  std::vector<std::string> warnings;
  const auto sockets = open_sockets({{"localhost", 0}, {"*", 0}}, {}, warnings);
  REQUIRE(sockets);
  CHECK(sockets.value().size() == 4);
  CHECK(warnings.empty());
}

TEST_CASE("udp socket: an address that was typed and that this host does not have is an error") {
  const ListenAddress foreign_v6{"2001:db8::1", 0};
  std::vector<std::string> warnings;
  CHECK_FALSE(open_sockets({{"192.0.2.1", 0}}, {}, warnings));
  CHECK_FALSE(open_sockets({foreign_v6}, {}, warnings));
  CHECK_FALSE(open_sockets({{"127.0.0.1", 0}, foreign_v6}, {}, warnings));
  CHECK(warnings.empty());
}

TEST_CASE("udp socket: the granted receive buffer is reported in the bytes that were asked for") {
  const UdpSocket socket = open_or_fail({"127.0.0.1", 0}, {.receive_buffer = 64 << 10});
  CHECK(socket.receive_buffer() == 64 << 10);
}

TEST_CASE("udp socket: datagrams sent are datagrams received plus kernel drops, exactly") {
  UdpSocket socket = open_or_fail({"127.0.0.1", 0}, {.receive_buffer = 64 << 10});
  Client client(socket);
  constexpr std::size_t sent = 5000;
  for (std::size_t i = 0; i < sent; ++i) client.send("a:1|c");
  CHECK(socket.fill() > 0.9);
  Receiver receiver;
  const std::size_t received = receive_all(receiver, socket.fd()).size();
  const std::uint64_t drops = socket.take_kernel_drops();
  CHECK(drops > 0);
  CHECK(received + drops == sent);
  CHECK(socket.take_kernel_drops() == 0);
  CHECK(socket.fill() < 0.1);
}

TEST_CASE(
    "udp socket: one that refuses new datagrams gives the queued ones and counts the others") {
  UdpSocket socket = open_or_fail({"127.0.0.1", 0});
  Client client(socket);
  for (int i = 0; i < 100; ++i) client.send("a:1|c");
  socket.refuse_new();
  for (int i = 0; i < 70; ++i) client.send("a:1|c");
  Receiver receiver;
  CHECK(receive_all(receiver, socket.fd()).size() == 100);
  CHECK(socket.take_kernel_drops() == 70);
}

TEST_CASE(
    "receiver: every batch size gives each datagram once, and never one of an earlier batch") {
  const UdpSocket socket = open_or_fail({"127.0.0.1", 0});
  Client client(socket);
  Receiver receiver;
  int number = 0;
  for (const std::size_t count : std::vector<std::size_t>{1, 63, 64, 65, 1, 130, 0}) {
    std::vector<std::string> sent;
    for (std::size_t i = 0; i < count; ++i) {
      sent.push_back("n" + std::to_string(number++) + ":1|c");
      client.send(sent.back());
    }
    CHECK(receive_all(receiver, socket.fd()) == sent);
  }
}

TEST_CASE("receiver: the largest datagram comes whole, and an empty one is a datagram too") {
  const UdpSocket socket = open_or_fail({"127.0.0.1", 0});
  Client client(socket);
  Receiver receiver;
  const std::string largest(65507, 'x');
  client.send(largest);
  client.send("");
  client.send("a:1|c");
  CHECK(receive_all(receiver, socket.fd()) == std::vector<std::string>{largest, "", "a:1|c"});
}

TEST_CASE("receiver: a datagram larger than the buffer is marked as truncated") {
  const UdpSocket socket = open_or_fail({"127.0.0.1", 0});
  Client client(socket);
  Receiver receiver(16);
  client.send("a:1|c\nb:123456789|c");
  client.send("a:1|c");
  const auto got = receiver.receive(socket.fd());
  REQUIRE(got.datagrams.size() == 2);
  CHECK(got.datagrams[0].is_truncated);
  CHECK(got.datagrams[0].bytes == "a:1|c\nb:12345678");
  CHECK_FALSE(got.datagrams[1].is_truncated);
}

TEST_CASE("receiver: a socket that fails says why") {
  Receiver receiver;
  const auto got = receiver.receive(-1);
  CHECK(got.datagrams.empty());
  CHECK(got.error == EBADF);
}

TEST_CASE("worker: a closed window holds what came before it, and the next one is empty") {
  std::vector<UdpSocket> sockets;
  sockets.push_back(open_or_fail({"127.0.0.1", 0}));
  Client client(sockets[0]);
  const LineLimits limits;
  const TableRules rules;
  Parts parts;
  Worker worker(std::move(sockets), limits, Table(rules), parts.box());

  client.send("hits:1|c\nhits:2|c\nbad");
  double hits = 0;
  std::uint64_t refused = 0;
  // The worker may be told of the window before the kernel tells it of the datagram.
  std::uint64_t window = 0;
  while (hits == 0) {
    worker.close_window(++window, Table(rules));
    const WindowPart part = parts.wait_for(window);
    hits += counter_in(part.gathered.table, "hits");
    refused += part.gathered.counts.refused();
    CHECK(part.gathered.counts.balances());
  }
  CHECK(hits == 3);
  CHECK(refused == 1);
  worker.close_window(++window, Table(rules));
  CHECK(parts.wait_for(window).gathered.table.empty());
}

TEST_CASE("worker: a stop reads what the kernel still holds, and nothing is lost") {
  for (int round = 0; round < 20; ++round) {
    std::vector<UdpSocket> sockets;
    sockets.push_back(open_or_fail({"127.0.0.1", 0}));
    Client client(sockets[0]);
    const LineLimits limits;
    const TableRules rules;
    Parts parts;
    Worker worker(std::move(sockets), limits, Table(rules), parts.box());
    constexpr int sent = 500;
    for (int i = 0; i < sent; ++i) client.send("hits:1|c");
    worker.stop(1);
    const WindowPart part = parts.wait_for(1);
    CHECK(part.gathered.counts.datagrams + part.gathered.counts.kernel_drops == sent);
    CHECK(counter_in(part.gathered.table, "hits") == sent);
  }
}

TEST_CASE(
    "worker: two on one port share the senders, and their tables add up to all that was sent") {
  const LineLimits limits;
  const TableRules rules;
  Parts first_parts;
  Parts second_parts;
  std::vector<UdpSocket> first;
  first.push_back(open_or_fail({"127.0.0.1", 0}, {.share_port = true}));
  const ListenAddress shared = first[0].address();
  std::vector<UdpSocket> second;
  second.push_back(open_or_fail(shared, {.share_port = true}));
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 16; ++i) clients.push_back(std::make_unique<Client>(first[0]));

  Worker one(std::move(first), limits, Table(rules), first_parts.box());
  Worker two(std::move(second), limits, Table(rules), second_parts.box());
  for (int i = 0; i < 100; ++i) {
    for (const auto& client : clients) client->send("hits:1|c");
  }
  one.stop(1);
  two.stop(1);
  Table whole = first_parts.wait_for(1).gathered.table;
  whole.merge(second_parts.wait_for(1).gathered.table);
  CHECK(counter_in(whole, "hits") == 1600);
}

TEST_CASE("worker: one that is destroyed while it receives leaves no open handle and a free port") {
  std::vector<UdpSocket> sockets;
  sockets.push_back(open_or_fail({"127.0.0.1", 0}));
  const ListenAddress address = sockets[0].address();
  Client client(sockets[0]);
  const LineLimits limits;
  const TableRules rules;
  Parts parts;
  {
    Worker worker(std::move(sockets), limits, Table(rules), parts.box());
    for (int i = 0; i < 100; ++i) client.send("hits:1|c");
  }
  CHECK(UdpSocket::open(address, {}));  // and ~Loop has asserted that nothing was left open
}
