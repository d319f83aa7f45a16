// What a receive thread tells of its open window while it receives.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tally/series.hpp"
#include "worker_rig.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

// A worker with one socket on loopback.
class Rig {
 public:
  explicit Rig(TableRules rules = {}) : rules_(std::move(rules)) {
    std::vector<DatagramSocket> sockets;
    sockets.push_back(open_or_fail({"127.0.0.1", 0}));
    client.emplace(sockets[0]);
    other.emplace(sockets[0]);
    worker.emplace(Listeners{.datagrams = std::move(sockets), .streams = {}}, settings_,
                   window_of(rules_), letters.box());
  }

  WorkerReport report() {
    worker->report(++number_);
    WorkerReport report = letters.next<WorkerReport>();
    CHECK(report.number == number_);
    return report;
  }
  // Once so many lines were heard.
  WorkerReport report_of(std::uint64_t lines) {
    WorkerReport report = this->report();
    while (report.counts[0].lines < lines) report = this->report();
    return report;
  }
  std::vector<Looked> look(IsMeant is_meant, bool forgets = false) {
    worker->look(++number_, std::move(is_meant), forgets);
    WorkerFound found = letters.next<WorkerFound>();
    CHECK(found.number == number_);
    return std::move(found.series);
  }

  Letters letters;
  std::optional<Client> client, other;
  std::optional<Worker> worker;  // ends before what it writes to

 private:
  Worker::Settings settings_;
  TableRules rules_;
  std::uint64_t number_ = 0;
};

bool all(std::string_view) {
  return true;
}

IsMeant named(bool (*is_meant)(std::string_view name)) {
  return [is_meant](std::string_view key) { return is_meant(name_of_series_key(key)); };
}

}  // namespace

TEST_CASE("worker: a report says what the open window holds, and the window goes on from there") {
  Rig rig;
  rig.client->send("hits:1|c\nbad");
  const WorkerReport report = rig.report_of(2);
  CHECK(report.series == 1);
  CHECK(report.counts[0].datagrams == 1);
  CHECK(report.counts[0].lines_accepted == 1);
  CHECK(report.counts[0].balances());
  REQUIRE(report.refused.size() == 1);
  CHECK(report.refused.lines()[0]->text == "bad");
  CHECK(report.buffer_fill.size() == 1);
  rig.client->send("hits:2|c");
  rig.report_of(3);
  rig.worker->close_window(1, window_of({}));
  const WindowPart part = rig.letters.part(1);
  CHECK(part.gathered.total().lines == 3);
  CHECK(std::get<Counter>(part.gathered.table.entry(0).aggregate).sum == 3);
  CHECK(rig.report().counts[0].lines == 0);
}

TEST_CASE("worker: a report says when something last came in, also in a window before") {
  Rig rig;
  CHECK_FALSE(rig.report().last_heard);
  const auto before =
      std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  rig.client->send("hits:1|c");
  const auto heard = rig.report_of(1).last_heard;
  REQUIRE(heard);
  CHECK(*heard >= before);
  CHECK(*heard <= std::chrono::system_clock::now());
  rig.worker->close_window(1, window_of({}));
  CHECK(rig.report().last_heard == heard);
}

TEST_CASE("worker: a report that was asked for before a window closed comes before its part") {
  Rig rig;
  for (std::uint64_t window = 1; window <= 200; ++window) {
    rig.worker->report(window);
    rig.worker->close_window(window, window_of({}));
  }
  // The letters stand in the order of the orders: none of a kind was overtaken by another.
  for (std::uint64_t window = 1; window <= 200; ++window) {
    CHECK(rig.letters.next<WorkerReport>().number == window);
    rig.letters.part(window);
  }
}

TEST_CASE("worker: senders are told apart by address and port, and a series knows its last one") {
  Rig rig;
  rig.client->send("a:1|c\nb:1|c");
  rig.report_of(2);
  rig.other->send("b:1|c\nc:1|ms\nbad");
  const WorkerReport report = rig.report_of(5);
  REQUIRE(report.senders.size() == 2);
  CHECK(report.senders[0].peer.port == rig.other->port());
  CHECK(report.senders[0].lines == 3);
  CHECK(report.senders[0].refused == 1);
  CHECK(report.senders[0].datagrams == 1);
  CHECK(report.senders[1].peer.port == rig.client->port());
  rig.worker->close_window(1, window_of({}));
  const WindowPart part = rig.letters.part(1);
  const auto last_port = [&](std::size_t index) {
    return part.gathered.senders[part.gathered.table.entry(index).sender].peer.port;
  };
  CHECK(last_port(0) == rig.client->port());
  CHECK(last_port(1) == rig.other->port());
  CHECK(last_port(2) == rig.other->port());
}

TEST_CASE("worker: a look finds what is meant, with its values as they stand") {
  Rig rig;
  rig.client->send(
      "a.hits:2|c\nb.hits:3|c\na.time:5|ms\na.time:7|ms\na.load:4|g\na.move:+2|g\na.who:x|s");
  rig.report_of(7);
  CHECK(rig.look(all).size() == 6);
  const std::vector<Looked> found =
      rig.look(named([](std::string_view name) { return name.starts_with("a."); }));
  REQUIRE(found.size() == 5);
  CHECK(name_of_series_key(found[0].key) == "a.hits");
  CHECK(found[0].number == 2);
  CHECK(found[1].values == std::vector<double>{5, 7});
  CHECK(found[2].number == 4);
  CHECK_FALSE(found[2].is_delta);
  CHECK(found[3].number == 2);
  CHECK(found[3].is_delta);
  CHECK(found[4].number == 1);
}

TEST_CASE("worker: a look of many series is whole, goes slice by slice and has an end") {
  Rig rig;
  std::uint64_t lines = 0;
  for (int packet = 0; packet < 600; ++packet) {
    std::string datagram;
    for (int i = 0; i < 20; ++i) datagram += "n" + std::to_string(packet * 20 + i) + ":1|c\n";
    rig.client->send(datagram);
    lines += 20;
    if (packet % 100 == 99) rig.report_of(lines);
  }
  CHECK(rig.look(all).size() == Worker::found_max);
  CHECK(rig.look(named([](std::string_view name) { return name == "n11999"; })).size() == 1);
}

TEST_CASE("worker: a look that a window's end overtakes begins anew in the next window") {
  Rig rig;
  std::string datagram;
  for (int i = 0; i < 50; ++i) datagram += "n" + std::to_string(i) + ":1|c\n";
  rig.client->send(datagram);
  rig.report_of(50);
  for (std::uint64_t window = 1; window <= 50; ++window) {
    rig.worker->look(window, all, false);
    rig.worker->close_window(window, window_of({}));
    CHECK(rig.letters.next<WorkerFound>().number == window);
    rig.letters.part(window);
  }
}

TEST_CASE("worker: what is forgotten is not written, and what comes behind it is") {
  Rig rig;
  rig.client->send("a:1|c\nb:5|c\nt:3|ms\ng:7|g");
  rig.report_of(4);
  const IsMeant not_b = named([](std::string_view name) { return name != "b"; });
  CHECK(rig.look(not_b, true).size() == 3);
  CHECK(rig.look(all).size() == 1);
  CHECK(rig.look(not_b, true).empty());
  rig.client->send("a:2|c\nt:4|ms");
  rig.report_of(6);
  rig.worker->close_window(1, window_of({}));
  const WindowPart part = rig.letters.part(1);
  const Table& table = part.gathered.table;
  CHECK(std::get<Counter>(table.entry(0).aggregate).sum == 2);
  CHECK(std::get<Counter>(table.entry(1).aggregate).sum == 5);
  CHECK(std::get<const Distribution*>(table.entry(2).aggregate)->sum() == 4);
  CHECK(std::holds_alternative<std::monostate>(table.entry(3).aggregate));
}

TEST_CASE("worker: a tap hears every datagram with its sender until it is switched off") {
  Rig rig;
  rig.worker->tap(true);
  rig.report();  // orders are taken in turn
  rig.client->send("a:1|c");
  rig.other->send("bad");
  std::vector<std::string> heard;
  std::vector<std::uint16_t> ports;
  while (heard.size() < 2) {
    const TapBatch batch = rig.letters.next<TapBatch>();
    for (const Tapped& piece : batch.pieces()) {
      heard.emplace_back(piece.bytes);
      ports.push_back(piece.peer.port);
    }
    CHECK(batch.skipped() == 0);
    rig.worker->tap_seen();
  }
  CHECK(heard == std::vector<std::string>{"a:1|c", "bad"});
  CHECK(ports == std::vector{rig.client->port(), rig.other->port()});
  rig.worker->tap(false);
  rig.client->send("b:1|c");
  rig.report_of(3);
  rig.worker->tap(true);
  rig.report();
  rig.client->send("c:1|c");
  CHECK(std::string(rig.letters.next<TapBatch>().pieces()[0].bytes) == "c:1|c");
}

TEST_CASE("worker: a tap that nobody empties takes no more than its share, and counts the rest") {
  Rig rig;
  rig.worker->tap(true);
  rig.report();
  const std::string datagram(50'000, 'x');
  std::uint64_t sent = 0;
  for (; sent < 200; ++sent) {
    rig.client->send(datagram);
    rig.report_of(sent + 1);
  }
  rig.worker->tap_seen();
  rig.worker->tap_seen();
  std::uint64_t heard = 0, skipped = 0;
  while (heard + skipped < sent) {
    const TapBatch batch = rig.letters.next<TapBatch>();
    heard += batch.pieces().size();
    skipped += batch.skipped();
    rig.worker->tap_seen();
  }
  CHECK(heard + skipped == sent);
  CHECK(rig.report().counts[0].datagrams == sent);
}
