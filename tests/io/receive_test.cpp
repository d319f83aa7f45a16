// The receive path on real sockets: what the kernel really hands over, drops and cuts.

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "receive/listeners.hpp"
#include "receive/receiver.hpp"
#include "receive/socket_address.hpp"
#include "receive/worker.hpp"
#include "worker_rig.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

// A directory that goes with its content.
class Directory {
 public:
  Directory() { REQUIRE(mkdtemp(path_.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/tallyd-receive-XXXXXX";
};

DatagramSocket open_unix_or_fail(const std::string& path) {
  auto opened = DatagramSocket::open_unix(path, {});
  if (!opened) FAIL(opened.error().message);
  return std::move(opened).value();
}

// A client of a Unix datagram socket, which waits where the queue is full.
class UnixClient {
 public:
  explicit UnixClient(const std::string& path) : fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~UnixClient() { close(fd_); }
  UnixClient(const UnixClient&) = delete;
  UnixClient& operator=(const UnixClient&) = delete;

  bool send(std::string_view datagram) {
    return ::send(fd_, datagram.data(), datagram.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(datagram.size());
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

double counter_in(const Table& table, std::string_view name) {
  for (const Table::Entry& entry : table.entries()) {
    if (split_series_key(entry.key).name == name) return std::get<Counter>(entry.aggregate).sum;
  }
  return 0;
}

}  // namespace

TEST_CASE("udp socket: port 0 is replaced by the port that the kernel chose") {
  const DatagramSocket v4 = open_or_fail({"127.0.0.1", 0});
  CHECK(v4.address().port != 0);
  CHECK(v4.name() == "udp 127.0.0.1:" + std::to_string(v4.address().port));
  const DatagramSocket v6 = open_or_fail({"::1", 0});
  CHECK(v6.name() == "udp [::1]:" + std::to_string(v6.address().port));
}

TEST_CASE("udp socket: a port in use is an error that names the port and how to find its owner") {
  const DatagramSocket first = open_or_fail({"127.0.0.1", 0});
  const auto second = DatagramSocket::open(first.address(), {});
  REQUIRE_FALSE(second);
  CHECK(
      second.error().message.starts_with(first.name() + ": cannot listen: Address already in use"));
  CHECK(second.error().message.find("ss -lunp") != std::string::npos);
}

TEST_CASE("udp socket: localhost is both loopbacks and * is all addresses of both families") {
  CHECK(literals_of({"localhost", 1}) == std::vector<ListenAddress>{{"127.0.0.1", 1}, {"::1", 1}});
  CHECK(literals_of({"*", 1}) == std::vector<ListenAddress>{{"0.0.0.0", 1}, {"::", 1}});
  std::vector<std::string> warnings;
  const auto sockets = open_udp({{"localhost", 0}, {"*", 0}}, {}, warnings);
  REQUIRE(sockets);
  CHECK(sockets.value().size() == 4);
  CHECK(warnings.empty());
}

TEST_CASE("udp socket: an address that was typed and that this host does not have is an error") {
  const ListenAddress foreign_v6{"2001:db8::1", 0};
  std::vector<std::string> warnings;
  CHECK_FALSE(open_udp({{"192.0.2.1", 0}}, {}, warnings));
  CHECK_FALSE(open_udp({foreign_v6}, {}, warnings));
  CHECK_FALSE(open_udp({{"127.0.0.1", 0}, foreign_v6}, {}, warnings));
  CHECK(warnings.empty());
}

TEST_CASE("udp socket: the granted receive buffer is reported in the bytes that were asked for") {
  const DatagramSocket socket = open_or_fail({"127.0.0.1", 0}, {.receive_buffer = 64 << 10});
  CHECK(socket.receive_buffer() == 64 << 10);
}

TEST_CASE("udp socket: datagrams sent are datagrams received plus kernel drops, exactly") {
  DatagramSocket socket = open_or_fail({"127.0.0.1", 0}, {.receive_buffer = 64 << 10});
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
  DatagramSocket socket = open_or_fail({"127.0.0.1", 0});
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
  const DatagramSocket socket = open_or_fail({"127.0.0.1", 0});
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
  const DatagramSocket socket = open_or_fail({"127.0.0.1", 0});
  Client client(socket);
  Receiver receiver;
  const std::string largest(65507, 'x');
  client.send(largest);
  client.send("");
  client.send("a:1|c");
  CHECK(receive_all(receiver, socket.fd()) == std::vector<std::string>{largest, "", "a:1|c"});
}

TEST_CASE("receiver: a datagram larger than the buffer is marked as truncated") {
  const DatagramSocket socket = open_or_fail({"127.0.0.1", 0});
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
  std::vector<DatagramSocket> sockets;
  sockets.push_back(open_or_fail({"127.0.0.1", 0}));
  Client client(sockets[0]);
  const Worker::Settings settings;
  const TableRules rules;
  Letters letters;
  Worker worker({.datagrams = std::move(sockets), .streams = {}}, settings, window_of(rules),
                letters.box());

  client.send("hits:1|c\nhits:2|c\nbad");
  double hits = 0;
  std::uint64_t refused = 0;
  // The worker may be told of the window before the kernel tells it of the datagram.
  std::uint64_t window = 0;
  while (hits == 0) {
    worker.close_window(++window, window_of(rules));
    const WindowPart part = letters.part(window);
    hits += counter_in(part.gathered.table, "hits");
    refused += part.gathered.total().refused();
    CHECK(part.gathered.total().balances());
  }
  CHECK(hits == 3);
  CHECK(refused == 1);
  worker.close_window(++window, window_of(rules));
  CHECK(letters.part(window).gathered.table.empty());
}

TEST_CASE("worker: a stop reads what the kernel still holds, and nothing is lost") {
  for (int round = 0; round < 20; ++round) {
    std::vector<DatagramSocket> sockets;
    sockets.push_back(open_or_fail({"127.0.0.1", 0}));
    Client client(sockets[0]);
    const Worker::Settings settings;
    const TableRules rules;
    Letters letters;
    Worker worker({.datagrams = std::move(sockets), .streams = {}}, settings, window_of(rules),
                  letters.box());
    constexpr int sent = 500;
    for (int i = 0; i < sent; ++i) client.send("hits:1|c");
    worker.stop(1);
    const WindowPart part = letters.part(1);
    CHECK(part.gathered.total().datagrams + part.gathered.total().kernel_drops == sent);
    CHECK(counter_in(part.gathered.table, "hits") == sent);
  }
}

// Counted by reports: they read no socket, as the end of a window does.
TEST_CASE("worker: a backlog of many turns is read whole, and what comes alone later is heard") {
  std::vector<DatagramSocket> sockets;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 2; ++i) {
    sockets.push_back(open_or_fail({"127.0.0.1", 0}));
    clients.push_back(std::make_unique<Client>(sockets.back()));
  }
  std::uint64_t sent = 0;
  const auto send = [&](Client& client, int count) {
    for (int i = 0; i < count; ++i) client.send("hits:1|c");
    sent += static_cast<std::uint64_t>(count);
  };
  send(*clients[0], 10'000);
  send(*clients[1], 1);
  const Worker::Settings settings;
  const TableRules rules;
  Letters letters;
  Worker worker({.datagrams = std::move(sockets), .streams = {}}, settings, window_of(rules),
                letters.box());
  const auto heard = [&] {
    worker.report(1);
    std::uint64_t datagrams = 0;
    for (const IngestCounts& counts : letters.next<WorkerReport>().counts)
      datagrams += counts.datagrams + counts.kernel_drops;
    return datagrams;
  };
  for (int round = 0; round < 30; ++round) {
    CAPTURE(round);
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (heard() < sent && std::chrono::steady_clock::now() < patience) {
    }
    REQUIRE(heard() == sent);
    // Asleep, or on the way to it: both sockets must find it.
    std::this_thread::sleep_for(std::chrono::milliseconds(round / 6));
    send(*clients[0], round % 3 == 0 ? 3'000 : 1);
    send(*clients[1], 1);
  }
}

TEST_CASE("worker: a stop in the midst of a backlog reads it to its end") {
  for (int round = 0; round < 20; ++round) {
    constexpr std::uint64_t sent = 5'000;
    std::vector<DatagramSocket> sockets;
    sockets.push_back(open_or_fail({"127.0.0.1", 0}));
    Client client(sockets[0]);
    for (std::uint64_t i = 0; i < sent; ++i) client.send("hits:1|c");
    const Worker::Settings settings;
    const TableRules rules;
    Letters letters;
    Worker worker({.datagrams = std::move(sockets), .streams = {}}, settings, window_of(rules),
                  letters.box());
    std::this_thread::sleep_for(std::chrono::microseconds(100 * round));
    worker.stop(1);
    const IngestCounts all = letters.part(1).gathered.total();
    CHECK(all.datagrams + all.kernel_drops == sent);
  }
}

TEST_CASE("worker: what a stop has no time to read is lost, but counted") {
  std::vector<DatagramSocket> sockets;
  sockets.push_back(open_or_fail({"127.0.0.1", 0}));
  Client client(sockets[0]);
  Worker::Settings settings;
  settings.read_at_end = std::chrono::milliseconds(0);
  const TableRules rules;
  Letters letters;
  Worker worker({.datagrams = std::move(sockets), .streams = {}}, settings, window_of(rules),
                letters.box());
  constexpr std::uint64_t sent = 3'000;
  for (std::uint64_t i = 0; i < sent; ++i) client.send("hits:1|c");
  worker.stop(1);
  const WindowPart part = letters.part(1);
  const IngestCounts all = part.gathered.total();
  CHECK(all.datagrams + all.kernel_drops == sent);
  CHECK(all.datagrams_unread +
            static_cast<std::uint64_t>(counter_in(part.gathered.table, "hits")) ==
        all.datagrams);
}

TEST_CASE(
    "worker: two on one port share the senders, and their tables add up to all that was sent") {
  const Worker::Settings settings;
  const TableRules rules;
  Letters first_letters;
  Letters second_letters;
  std::vector<DatagramSocket> first;
  first.push_back(open_or_fail({"127.0.0.1", 0}, {.share_port = true}));
  const ListenAddress shared = first[0].address();
  std::vector<DatagramSocket> second;
  second.push_back(open_or_fail(shared, {.share_port = true}));
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 16; ++i) clients.push_back(std::make_unique<Client>(first[0]));

  Worker one({.datagrams = std::move(first), .streams = {}}, settings, window_of(rules),
             first_letters.box());
  Worker two({.datagrams = std::move(second), .streams = {}}, settings, window_of(rules),
             second_letters.box());
  for (int i = 0; i < 100; ++i) {
    for (const auto& client : clients) client->send("hits:1|c");
  }
  one.stop(1);
  two.stop(1);
  Table whole = first_letters.part(1).gathered.table;
  whole.merge(second_letters.part(1).gathered.table);
  CHECK(counter_in(whole, "hits") == 1600);
}

TEST_CASE("worker: one that is destroyed while it receives leaves no open handle and a free port") {
  std::vector<DatagramSocket> sockets;
  sockets.push_back(open_or_fail({"127.0.0.1", 0}));
  const ListenAddress address = sockets[0].address();
  Client client(sockets[0]);
  const Worker::Settings settings;
  const TableRules rules;
  Letters letters;
  {
    Worker worker({.datagrams = std::move(sockets), .streams = {}}, settings, window_of(rules),
                  letters.box());
    for (int i = 0; i < 100; ++i) client.send("hits:1|c");
  }
  CHECK(DatagramSocket::open(address, {}));  // and ~Loop has asserted that nothing was left open
}

TEST_CASE("receiver: each datagram comes with its sender, also behind one of another family") {
  const DatagramSocket socket = open_or_fail({"127.0.0.1", 0});
  Client one(socket), other(socket);
  one.send("a:1|c");
  other.send("a:1|c");
  Receiver receiver;
  const auto got = receiver.receive(socket.fd());
  REQUIRE(got.datagrams.size() == 2);
  CHECK(peer_of(got.from[0]).port == one.port());
  CHECK(peer_of(got.from[1]).port == other.port());

  const Directory directory;
  const DatagramSocket unix_socket = open_unix_or_fail(directory.path() + "/s");
  UnixClient nameless(directory.path() + "/s");
  REQUIRE(nameless.send("a:1|c"));
  const auto local = receiver.receive(unix_socket.fd());
  REQUIRE(local.datagrams.size() == 1);
  CHECK(peer_of(local.from[0]) == Peer{});
}

TEST_CASE("worker: datagrams of senders that are not allowed are counted, and not read") {
  struct Row {
    const char* network;
    std::uint64_t denied;
  };
  for (const Row& row : {Row{"10.0.0.0/8", 1}, Row{"127.0.0.0/8", 0}}) {
    CAPTURE(row.network);
    std::vector<DatagramSocket> sockets;
    sockets.push_back(open_or_fail({"127.0.0.1", 0}));
    Client client(sockets[0]);
    Worker::Settings settings;
    settings.streams.allow = {parse_network(row.network).value()};
    const TableRules rules;
    Letters letters;
    Worker worker({.datagrams = std::move(sockets), .streams = {}}, settings, window_of(rules),
                  letters.box());
    client.send("a:1|c");
    worker.stop(1);
    const WindowPart part = letters.part(1);
    CHECK(part.gathered.total().datagrams == 1);
    CHECK(part.gathered.total().datagrams_denied == row.denied);
    CHECK(part.gathered.table.size() == 1 - row.denied);
  }
}

TEST_CASE("worker: of senders that come mixed each has its own account, and one may be denied") {
  std::vector<DatagramSocket> sockets;
  sockets.push_back(open_or_fail({"127.0.0.1", 0}));
  Client one(sockets[0]), other(sockets[0]), denied(sockets[0].address().port, "127.0.0.2");
  for (int i = 0; i < 50; ++i) {  // all in one batch or two
    one.send("a:1|c");
    denied.send("d:1|c");
    other.send("b:1|c\nbad");
    other.send("c:1|c");
  }
  Worker::Settings settings;
  settings.streams.allow = {parse_network("127.0.0.1").value()};
  const TableRules rules;
  Letters letters;
  Worker worker({.datagrams = std::move(sockets), .streams = {}}, settings, window_of(rules),
                letters.box());
  worker.stop(1);
  const Gathered gathered = letters.part(1).gathered;
  CHECK(gathered.total().datagrams == 200);
  CHECK(gathered.total().datagrams_denied == 50);
  REQUIRE(gathered.senders.all().size() == 3);
  for (const Sender& sender : gathered.senders.all().subspan(1)) {
    const bool is_one = sender.peer.port == one.port();
    CHECK((is_one || sender.peer.port == other.port()));
    CHECK(sender.datagrams == (is_one ? 50 : 100));
    CHECK(sender.lines == (is_one ? 50 : 150));
    CHECK(sender.refused == (is_one ? 0 : 50));
    CHECK(sender.bytes == (is_one ? 250 : 700));
  }
  REQUIRE(gathered.table.size() == 3);
  for (std::size_t i = 0; i < gathered.table.size(); ++i) {
    const Table::Entry entry = gathered.table.entry(i);
    const std::uint16_t from = gathered.senders[entry.sender].peer.port;
    CHECK(from == (name_of_series_key(entry.key) == "a" ? one : other).port());
    CHECK(std::get<Counter>(entry.aggregate).sum == 50);
  }
  for (const RefusedLine* line : gathered.refused.lines()) CHECK(line->peer.port == other.port());
}

TEST_CASE("worker: a Unix datagram sender is never kept waiting, and a stop tells it") {
  const Directory directory;
  const std::string path = directory.path() + "/statsd.sock";
  std::vector<DatagramSocket> sockets;
  sockets.push_back(open_unix_or_fail(path));
  UnixClient client(path);
  const Worker::Settings settings;
  const TableRules rules;
  Letters letters;
  Worker worker({.datagrams = std::move(sockets), .streams = {}}, settings, window_of(rules),
                letters.box());
  // Far more than the kernel holds: a blocking send returns only because we read.
  constexpr int sent = 5000;
  for (int i = 0; i < sent; ++i) REQUIRE(client.send("hits:1|c"));
  worker.stop(1);
  const WindowPart part = letters.part(1);
  CHECK(counter_in(part.gathered.table, "hits") == sent);
  CHECK_FALSE(client.send("hits:1|c"));
}

TEST_CASE("listeners: all kinds open together, in the order of their counts") {
  const Directory directory;
  Config::Listen listen;
  listen.udp = {{"127.0.0.1", 0}, {"::1", 0}};
  listen.tcp = {{"localhost", 0}};
  listen.unixgram = {directory.path() + "/gram"};
  listen.unix_stream = {directory.path() + "/stream"};
  listen.workers = 2;
  const auto opened = open_listeners(listen);
  REQUIRE(opened);
  REQUIRE(opened.value().of_worker.size() == 2);
  const Listeners& first = opened.value().of_worker[0];
  const Listeners& second = opened.value().of_worker[1];
  CHECK(first.datagrams.size() == 3);
  CHECK(first.streams.size() == 3);
  CHECK(second.datagrams.size() == 2);
  CHECK(second.streams.empty());
  CHECK(second.datagrams[0].address() == first.datagrams[0].address());
  const std::vector<std::string>& names = opened.value().names;
  REQUIRE(names.size() == first.size());
  CHECK(names[0].starts_with("udp 127.0.0.1:"));
  CHECK(names[1].starts_with("udp [::1]:"));
  CHECK(names[2] == "unixgram " + directory.path() + "/gram");
  CHECK(names[3].starts_with("tcp 127.0.0.1:"));
  CHECK(names[5] == "unix " + directory.path() + "/stream");
}
