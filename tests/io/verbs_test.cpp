// The verbs that look at the world: files, the environment, sockets, the kernel's tables, a
// database.

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/check.hpp"
#include "daemon/sources.hpp"
#include "process.hpp"
#include "receive/datagram_socket.hpp"
#include "receive/stream_socket.hpp"

using namespace tally;
using namespace std::chrono_literals;
using testing::Command;
using testing::Process;
using testing::TemporaryDirectory;
using Level = Finding::Level;

namespace {

constexpr std::array<const char*, 1> nothing_set = {nullptr};

template <class Socket>
Socket opened(Result<Socket> socket) {
  if (!socket) FAIL(socket.error().message);
  return std::move(socket).value();
}

DatagramSocket open_on_loopback() {
  return opened(DatagramSocket::open({"127.0.0.1", 0}, {}));
}

Config listening_on(const ListenAddress& address) {
  Config config;
  config.listen.udp = {address};
  config.listen.receive_buffer = 64 << 10;
  config.http.listen.reset();
  config.admin.listen.reset();
  config.influxdb.front().url = "";
  return config;
}

/// One of each kind beside UDP, which is left out.
Config listening_in(const TemporaryDirectory& directory) {
  Config config = listening_on({"127.0.0.1", 0});
  config.listen.udp.clear();
  config.listen.tcp = {{"127.0.0.1", 0}};
  config.listen.unixgram = {directory.path() + "/g"};
  config.listen.unix_stream = {directory.path() + "/s"};
  return config;
}

std::string abstract_name(const std::string& suffix) {
  return "@tallyd-verbs-test-" + std::to_string(getpid()) + suffix;
}

/// Without what is said of the database, which comes last.
std::vector<Finding> listeners_in(std::vector<Finding> findings) {
  findings.pop_back();
  return findings;
}

std::vector<std::string> lines_of(const std::vector<Finding>& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings) lines.push_back(finding.line());
  return lines;
}

std::ptrdiff_t count_of(Level level, const std::vector<Finding>& findings) {
  return std::ranges::count(findings, level, &Finding::level);
}

struct Ran {
  int status;
  std::string output;
  std::string log;
};

Ran run(std::vector<std::string> arguments,
        std::vector<std::pair<std::string, std::string>> environment = {}) {
  Process process(Command{TALLYD, std::move(arguments), std::move(environment), ""});
  const std::optional<int> status = process.wait(30s);
  REQUIRE(status);
  return {*status, process.output(), process.log()};
}

}  // namespace

TEST_CASE("sources: a file that is named is read, with the TALLYD_ variables, sorted") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("t.toml", "[flush]\n");
  const std::array<const char*, 6> environment = {
      "HOME=/", "TALLYD_LOG_LEVEL=off", "TALLYD_FLUSH_INTERVAL=a=b", "NOT_TALLYD_X=1", "TALLYD_X",
      nullptr};
  const Result<ConfigSources> sources = read_sources(path, {"a=1"}, environment.data());
  REQUIRE(sources);
  CHECK(sources.value().file_name == path);
  CHECK(sources.value().file_text == "[flush]\n");
  CHECK(sources.value().sets == std::vector<std::string>{"a=1"});
  CHECK(sources.value().environment ==
        std::vector<std::pair<std::string, std::string>>{
            {"TALLYD_FLUSH_INTERVAL", "a=b"}, {"TALLYD_LOG_LEVEL", "off"}, {"TALLYD_X", ""}});
}

TEST_CASE("sources: what Kubernetes sets for a Service is not ours, a mistaken key is") {
  const std::array<const char*, 16> environment = {
      "TALLYD_PORT=udp://10.0.0.1:8125",
      "TALLYD_PORT_8125_UDP_ADDR=10.0.0.1",
      "TALLYD_SERVICE_HOST=10.0.0.1",
      "TALLYD_STATSD_PORT=udp://10.0.0.1:8125",
      "TALLYD_STATSD_PORT_8125_UDP=udp://10.0.0.1:8125",
      "TALLYD_STATSD_PORT_8125_UDP_PORT=8125",
      "TALLYD_STATSD_PORT_8125_UDP_PROTO=udp",
      "TALLYD_STATSD_SERVICE_HOST=10.0.0.1",
      "TALLYD_STATSD_SERVICE_PORT=8125",
      "TALLYD_STATSD_SERVICE_PORT_STATSD=8125",
      "TALLYD_DEMO_UI_PORT=tcp://10.0.0.1:80",
      "TALLYD_HTTP_PORT=8127",
      "TALLYD_INFLUXDB_PORT_NUMBER=8086",
      "TALLYD_TAGS_SERVICE_HOST=a",
      "TALLYD_TAGS_PORT=b://c",
      nullptr};
  const TemporaryDirectory directory;
  const std::string path = directory.write("t.toml", "");
  const Result<ConfigSources> sources = read_sources(path, {}, environment.data());
  REQUIRE(sources);
  CHECK(sources.value().environment ==
        std::vector<std::pair<std::string, std::string>>{{"TALLYD_HTTP_PORT", "8127"},
                                                         {"TALLYD_INFLUXDB_PORT_NUMBER", "8086"},
                                                         {"TALLYD_TAGS_PORT", "b://c"},
                                                         {"TALLYD_TAGS_SERVICE_HOST", "a"}});
}

TEST_CASE("sources: a file that cannot be read is an error that names it") {
  const TemporaryDirectory directory;
  const std::string large = directory.write("large.toml", std::string((1 << 20) + 1, '\n'));
  const auto error_of = [](const std::string& path) {
    const Result<ConfigSources> sources = read_sources(path, {}, nothing_set.data());
    return sources ? "(no error)" : sources.error().message;
  };
  CHECK(error_of("/nowhere/t.toml") ==
        "cannot read \"/nowhere/t.toml\": No such file or directory; "
        "--config names the file to read");
  CHECK(error_of(directory.path()).find("Is a directory") != std::string::npos);
  CHECK(error_of(large).find("it is larger than 1MiB") != std::string::npos);
  CHECK(error_of("").find("No such file") != std::string::npos);
}

TEST_CASE("secret: one line end behind it is not part of it") {
  const TemporaryDirectory directory;
  struct Row {
    std::string_view text, secret;
  };
  for (const Row& row : {Row{"pw", "pw"}, Row{"pw\n", "pw"}, Row{"pw\r\n", "pw"},
                         Row{"pw\n\n", "pw\n"}, Row{" p w\r", " p w\r"}}) {
    CAPTURE(row.text);
    const Result<std::string> secret = read_secret(directory.write("secret", row.text));
    REQUIRE(secret);
    CHECK(secret.value() == row.secret);
  }
  CHECK_FALSE(read_secret(directory.write("secret", "\n")));
  CHECK_FALSE(read_secret(directory.write("secret", std::string(4097, 'x'))));
  CHECK_FALSE(read_secret("/nowhere/secret"));
}

TEST_CASE("secret: a password in a file that everyone can read is told") {
  const TemporaryDirectory directory;
  const std::string path =
      directory.write("t.toml", "[influxdb]\nusername = \"u\"\npassword = \"hunter2\"\n");
  const Result<ConfigSources> sources = read_sources(path, {}, nothing_set.data());
  REQUIRE(sources);
  const Result<LoadedConfig> loaded = load_config(sources.value());
  REQUIRE(loaded);
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  const std::optional<std::string> warning = exposed_password(loaded.value());
  REQUIRE(warning);
  CHECK(warning->find("chmod o-r") != std::string::npos);
  CHECK(warning->find("hunter2") == std::string::npos);
  REQUIRE(chmod(path.c_str(), 0640) == 0);
  CHECK_FALSE(exposed_password(loaded.value()));
  CHECK_FALSE(exposed_password(LoadedConfig{}));
}

TEST_CASE("secret: so is the token of any destination") {
  const TemporaryDirectory directory;
  const std::string path =
      directory.write("t.toml", "[[influxdb]]\n[[influxdb]]\nname = \"b\"\ntoken = \"hunter2\"\n");
  const Result<ConfigSources> sources = read_sources(path, {}, nothing_set.data());
  REQUIRE(sources);
  const Result<LoadedConfig> loaded = load_config(sources.value());
  REQUIRE(loaded);
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  const std::optional<std::string> warning = exposed_password(loaded.value());
  REQUIRE(warning);
  CHECK(warning->find("influxdb.token_file") != std::string::npos);
  CHECK(warning->find("hunter2") == std::string::npos);
}

TEST_CASE("tags: auto becomes this host's name, an empty tag is left out") {
  Config config;
  config.tags = {{"a", ""}, {"host", "auto"}, {"zone", "auto"}};
  const std::vector<StaticTag> tags = effective_tags(config);
  REQUIRE(tags.size() == 2);
  CHECK(tags[0].key == "host");
  CHECK(tags[0].value != "auto");
  CHECK_FALSE(tags[0].value.empty());
  CHECK(tags[1] == StaticTag{"zone", "auto"});
}

TEST_CASE(
    "check: finds sockets in the kernel's table by address and port, and adds up their queues") {
  const std::string_view v4 =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n"
      "  123: 0100007F:1FBD 00000000:0000 07 00000000:00000340 00:00000000 00000000     0        0 "
      "1 2 0\n"
      " 1234: 0100007F:1FBD 00000000:0000 07 00000000:00000010 00:00000000 00000000     0        0 "
      "1 2 0\n"
      "  124: 00000000:1FBE 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 "
      "1 2 0";
  CHECK(waiting_at(v4, SOCK_DGRAM, {"127.0.0.1", 8125}) == 0x350);
  CHECK(waiting_at(v4, SOCK_DGRAM, {"0.0.0.0", 8126}) == 0);
  CHECK_FALSE(waiting_at(v4, SOCK_DGRAM, {"127.0.0.1", 8126}));
  CHECK_FALSE(waiting_at(v4, SOCK_DGRAM, {"127.0.0.2", 8125}));
  CHECK_FALSE(waiting_at("", SOCK_DGRAM, {"127.0.0.1", 8125}));
  CHECK(waiting_at("x 00000000000000000000000001000000:1FBD 0:0 07 0:5", SOCK_DGRAM,
                   {"::1", 8125}) == 5);
  CHECK(waiting_at("x 0100007F:1FBD 0:0 07", SOCK_DGRAM, {"127.0.0.1", 8125}) == 0);  // cut short
}

TEST_CASE("check: of TCP only sockets that listen count, of UDP only those without a peer") {
  struct Row {
    std::string_view name, state;
    int type;
    bool receives;
  };
  for (const Row& row :
       {Row{"listens", "0A", SOCK_STREAM, true}, Row{"established", "01", SOCK_STREAM, false},
        Row{"time wait", "06", SOCK_STREAM, false}, Row{"without a peer", "07", SOCK_DGRAM, true},
        Row{"connected to a peer", "01", SOCK_DGRAM, false}}) {
    CAPTURE(row.name);
    const std::string line = "0: 0100007F:1FBD 0:0 " + std::string(row.state) + " 0:2";
    CHECK(waiting_at(line, row.type, {"127.0.0.1", 8125}).has_value() == row.receives);
  }
}

TEST_CASE("check: finds Unix sockets in the kernel's table by type and whole path") {
  const std::string_view table =
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "00000000d4be45e0: 00000003 00000000 00000000 0001 03 1001 /run/connection.sock\n"
      "00000000d4be45e1: 00000002 00000000 00010000 0001 01 1002 /run/stream.sock\n"
      "00000000d4be45e2: 00000002 00000000 00000000 0002 01     3 /run/gram.sock\n"
      "00000000d4be45e3: 00000002 00000000 00010000 0001 01 1004 @abstract\n"
      "00000000d4be45e4: 00000002 00000000 00010000 0001 01 1005 /run/a name.sock\n"
      "00000000d4be45e5: 00000002 00000000 00010000 0001 01 1006\n"
      "00000000d4be45e6: 00000002 00000000 00000000 0002 01 1007 /run/last.sock";
  struct Row {
    std::string_view path;
    bool is_stream, is_gram;
  };
  for (const Row& row :
       {Row{"/run/stream.sock", true, false}, Row{"/run/gram.sock", false, true},
        Row{"@abstract", true, false}, Row{"abstract", false, false},
        Row{"/run/connection.sock", false, false}, Row{"/run/a name.sock", true, false},
        Row{"/run/a", false, false}, Row{"stream.sock", false, false}, Row{"", true, false},
        Row{"/run/last.sock", false, true}, Row{"Path", false, false}}) {
    CAPTURE(row.path);
    CHECK(is_bound(table, SOCK_STREAM, row.path) == row.is_stream);
    CHECK(is_bound(table, SOCK_DGRAM, row.path) == row.is_gram);
  }
}

TEST_CASE("check --running: is well while the address is bound, and not afterwards") {
  ListenAddress address;
  {
    const DatagramSocket socket = open_on_loopback();
    address = socket.address();
    const std::vector<Finding> findings = find_running(listening_on(address));
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].level == Level::well);
    CHECK(findings[0].line() == "udp " + to_string(address) + ": bound, 0 bytes wait");
  }
  const std::vector<Finding> findings = find_running(listening_on(address));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].level == Level::mend);
}

TEST_CASE("check --running: finds every kind of listener while it is there, and no longer") {
  const TemporaryDirectory directory;
  Config config;
  config.listen = {.udp = {},
                   .unixgram = {directory.path() + "/g", abstract_name("g")},
                   .unix_stream = {directory.path() + "/s", abstract_name("s")}};
  {
    const auto tcp = opened(StreamSocket::open_tcp({"127.0.0.1", 0}));
    config.listen.tcp = {tcp.address()};
    const auto gram = opened(DatagramSocket::open_unix(config.listen.unixgram[0], {}));
    const auto abstract_gram = opened(DatagramSocket::open_unix(config.listen.unixgram[1], {}));
    const auto stream = opened(StreamSocket::open_unix(config.listen.unix_stream[0], {}));
    const auto abstract_stream = opened(StreamSocket::open_unix(config.listen.unix_stream[1], {}));
    CHECK(lines_of(find_running(config)) ==
          std::vector<std::string>{tcp.name() + ": bound, 0 connections wait",
                                   gram.name() + ": bound", abstract_gram.name() + ": bound",
                                   stream.name() + ": bound", abstract_stream.name() + ": bound"});
    CHECK(count_of(Level::well, find_running(config)) == 5);
    REQUIRE(unlink(config.listen.unix_stream[0].c_str()) == 0);
    CHECK(find_running(config)[3].level == Level::mend);
    CHECK(find_running(config)[3].text.find("its file was removed") != std::string::npos);
  }
  CHECK(count_of(Level::mend, find_running(config)) == 5);
}

TEST_CASE("check --running: is not well if nothing could be looked up") {
  std::ostringstream out;
  const std::vector<Finding> findings = find_running(listening_on({"127.0.0.1", 0}));
  CHECK(report(findings, out) == 1);
  CHECK(out.str().find("MEND  listen: nothing could be looked up") != std::string::npos);
  Config nothing = listening_on({"127.0.0.1", 0});
  nothing.listen.udp.clear();
  CHECK(report(find_running(nothing), out) == 1);
}

TEST_CASE("check --running: one address that is bound is enough beside one that has no port") {
  const DatagramSocket socket = open_on_loopback();
  Config config = listening_on(socket.address());
  config.listen.tcp = {{"127.0.0.1", 0}};
  std::ostringstream out;
  CHECK(report(find_running(config), out) == 0);
}

TEST_CASE(
    "check: TCP and Unix sockets that are free can be bound, and nothing stays of the trial") {
  const TemporaryDirectory directory;
  const Config config = listening_in(directory);
  CHECK(lines_of(listeners_in(find_problems({config, {}}))) ==
        std::vector<std::string>{"tcp 127.0.0.1:0: can be bound",
                                 "unixgram " + config.listen.unixgram[0] + ": can be bound",
                                 "unix " + config.listen.unix_stream[0] + ": can be bound"});
  CHECK(access(config.listen.unixgram[0].c_str(), F_OK) != 0);
  CHECK(access(config.listen.unix_stream[0].c_str(), F_OK) != 0);
}

TEST_CASE("check: sockets of a live program are notes, and it goes on receiving") {
  const TemporaryDirectory directory;
  Config config = listening_in(directory);
  const auto tcp = opened(StreamSocket::open_tcp({"127.0.0.1", 0}));
  config.listen.tcp = {tcp.address()};
  const auto gram = opened(DatagramSocket::open_unix(config.listen.unixgram[0], {}));
  const auto stream = opened(StreamSocket::open_unix(config.listen.unix_stream[0], {}));
  const std::vector<Finding> findings = listeners_in(find_problems({config, {}}));
  REQUIRE(findings.size() == 3);
  const std::string use = ": in use; well if tallyd runs already, else see who has it: ss -";
  CHECK(findings[0].line() ==
        tcp.name() + use + "ltnp 'sport = :" + std::to_string(tcp.address().port) + "'");
  CHECK(findings[1].line() == gram.name() + use + "xap src " + config.listen.unixgram[0]);
  CHECK(findings[2].line() == stream.name() + use + "xap src " + config.listen.unix_stream[0]);
  CHECK(count_of(Level::note, findings) == 3);
  CHECK(count_of(Level::well, find_running(config)) == 3);  // their files too
}

TEST_CASE("check: the admin port is tried too, and may be tallyd's own already") {
  Config config = listening_on({"127.0.0.1", 0});
  config.admin.listen = ListenAddress{"127.0.0.1", 0};
  CHECK(find_problems({config, {}})[1].line() == "admin 127.0.0.1:0: can be bound");
  const auto taken = opened(StreamSocket::open_tcp({"127.0.0.1", 0}));
  config.admin.listen = taken.address();
  const Finding finding = find_problems({config, {}})[1];
  CHECK(finding.level == Level::note);
  CHECK(finding.line() == "admin " + to_string(taken.address()) +
                              ": in use; well if tallyd runs already, else see who has it: ss "
                              "-ltnp 'sport = :" +
                              std::to_string(taken.address().port) + "'");
}

TEST_CASE("check: so is the port of the page, with the file of its token") {
  const TemporaryDirectory directory;
  Config config = listening_on({"127.0.0.1", 0});
  config.http.listen = ListenAddress{"127.0.0.1", 0};
  CHECK(find_problems({config, {}})[1].line() == "http 127.0.0.1:0: can be bound");
  config.http.token_file = directory.path() + "/token";
  const Finding missing = find_problems({config, {}})[2];
  CHECK(missing.level == Level::mend);
  CHECK(missing.line() == "http.token_file: cannot read \"" + config.http.token_file +
                              "\": No such file or directory; see http.token_file");
  std::ofstream(config.http.token_file) << "s3cret\n";
  CHECK(find_problems({config, {}})[2].line() == "http.token_file: can be read");
}

TEST_CASE("check: a socket that cannot be made is to be mended, with its cure") {
  const TemporaryDirectory directory;
  struct Row {
    std::string_view name;
    std::function<void(Config::Listen&)> spoil;
    std::string_view says;
  };
  const std::vector<Row> rows = {
      {"an address of another host",
       [](auto& listen) {
         listen.tcp = {{"192.0.2.1", 0}};
       },
       "tcp 192.0.2.1:0: cannot listen"},
      {"no directory for datagrams",
       [&](auto& listen) { listen.unixgram = {directory.path() + "/no/g"}; }, "make the directory"},
      {"a file in the place of a stream",
       [&](auto& listen) { listen.unix_stream = {directory.write("file", "kept")}; },
       "it is there and is no socket"},
      {"an unknown owner", [](auto& listen) { listen.unix_owner = "no such user"; },
       "listen.unix_owner: user \"no such user\": this system knows none of that name"},
      {"an unknown group", [](auto& listen) { listen.unix_owner = ":no such group"; },
       "listen.unix_owner: group \"no such group\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Config config = listening_in(directory);
    row.spoil(config.listen);
    const std::vector<Finding> findings = find_problems({config, {}});
    REQUIRE(count_of(Level::mend, findings) == 1);
    const auto mend = std::ranges::find(findings, Level::mend, &Finding::level);
    CHECK_MESSAGE(mend->line().find(row.says) != std::string::npos, mend->line());
  }
}

TEST_CASE("check: an address in use is a note, one that this host has not is to be mended") {
  const DatagramSocket socket = open_on_loopback();
  const auto first = [](const Config& config) { return find_problems({config, {}}).front(); };
  CHECK(first(listening_on({"127.0.0.1", 0})).level == Level::well);
  CHECK(first(listening_on(socket.address())).level == Level::note);
  CHECK(first(listening_on(socket.address())).text.find("ss -lunp") != std::string::npos);
  CHECK(first(listening_on({"192.0.2.1", 0})).level == Level::mend);
}

TEST_CASE("check: a receive buffer that is not granted comes with its sysctl") {
  Config config = listening_on({"127.0.0.1", 0});
  config.listen.receive_buffer = 1 << 30;
  const std::vector<Finding> findings = find_problems({config, {}});
  REQUIRE(findings.size() >= 2);
  const Finding& buffer = findings[1];
  CHECK(buffer.line().starts_with("receive buffer: the kernel grants "));
  // Root is granted all.
  if (buffer.level == Level::mend)
    CHECK(buffer.text.ends_with("sysctl -w net.core.rmem_max=1073741824"));
}

TEST_CASE("check: a database that is away is to be mended, and an empty url is a note") {
  Config config = listening_on({"127.0.0.1", 0});
  CHECK(find_problems({config, {}}).back().level == Level::note);
  config.influxdb.front().url = "http://127.0.0.1:" + std::to_string(testing::free_tcp_port());
  config.influxdb.front().username = "u";
  config.influxdb.front().password_file = "/nowhere/secret";
  const std::vector<Finding> findings = find_problems({config, {}});
  CHECK(findings.back().level == Level::mend);
  CHECK(findings.back().text.find("nothing answers at") != std::string::npos);
  CHECK(findings[findings.size() - 2].text.find("/nowhere/secret") != std::string::npos);
}

TEST_CASE("check: every destination is looked at, and InfluxDB 2 needs a token") {
  Config config = listening_on({"127.0.0.1", 0});
  const std::string away = "http://127.0.0.1:" + std::to_string(testing::free_tcp_port());
  config.influxdb = {{.name = "a", .url = away},
                     {.name = "b", .url = away, .api = Api::v2},
                     {.name = "c", .url = away, .api = Api::v2, .token_file = "/nowhere/token"}};
  std::vector<std::string> mend;
  for (const Finding& finding : find_problems({config, {}}))
    if (finding.level == Level::mend && finding.subject != "receive buffer")
      mend.push_back(finding.line());
  REQUIRE(mend.size() == 5);
  CHECK(mend[1] ==
        "influxdb b: api is \"2\" and there is no token, without which InfluxDB 2 takes no points; "
        "set influxdb.token_file");
  CHECK(mend[3].find("/nowhere/token") != std::string::npos);
  CHECK(mend[3].find("see influxdb.token_file") != std::string::npos);
}

TEST_CASE("tallyd: exit status and streams of the verbs") {
  const TemporaryDirectory directory;
  const std::string good = directory.write("good.toml", "[flush]\ninterval = \"1s\"\n");
  const std::string bad = directory.write("bad.toml", "# a\n\n[flush]\nintervall = \"1s\"\n");

  const Ran version = run({"--version"});
  CHECK(version.status == 0);
  CHECK(version.output.starts_with("tallyd "));
  CHECK(run({"--help"}).status == 0);

  const Ran slip = run({"--confgi", good});
  CHECK(slip.status == 2);
  CHECK(slip.log == "tallyd: unknown flag \"--confgi\"; did you mean \"--config\"?\n");

  const Ran missing = run({"-c", "/nowhere/t.toml"});
  CHECK(missing.status == 2);
  CHECK(missing.log.starts_with("tallyd: cannot read \"/nowhere/t.toml\""));

  const std::string mistake =
      bad + ":4:1: unknown key \"flush.intervall\"; did you mean \"flush.interval\"?\n";
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"-c", bad},
                                                    {"config", "-c", bad},
                                                    {"check", "--offline", "-c", bad}}) {
    const Ran ran = run(arguments);
    CHECK(ran.status == 2);
    CHECK(ran.log == mistake);
    CHECK(ran.output.empty());
  }

  const Ran check = run({"check", "--offline", "-c", good});
  CHECK(check.status == 0);
  CHECK(check.output == "ok    " + good + ": all well\n");

  const Ran json = run({"check", "--offline", "--json", "-c", good});
  CHECK(json.status == 0);
  CHECK(json.output == "{\"findings\":[{\"level\":\"well\",\"subject\":\"" + good +
                           "\",\"text\":\"all well\"}],\"well\":true}\n");

  const Ran config =
      run({"config", "-c", good, "--set", "listen.udp=[\"127.0.0.1:0\",\"[::1]:0\"]"},
          {{"TALLYD_TAGS_HOST", "h"}});
  CHECK(config.status == 0);
  CHECK(config.output.find("interval = \"1s\"  # " + good + ":2\n") != std::string::npos);
  CHECK(config.output.find("udp = [\"127.0.0.1:0\", \"[::1]:0\"]  # --set\n") != std::string::npos);
  CHECK(config.output.find("host = \"h\"  # TALLYD_TAGS_HOST\n") != std::string::npos);

  const Ran variable = run({"config"}, {{"TALLYD_FLUSH_INTERVALL", "1s"}});
  CHECK(variable.status == 2);
  CHECK(variable.log.starts_with("TALLYD_FLUSH_INTERVALL: unknown variable"));

  const Ran explain = run({"explain", "--json", "-c", good, "--set", "tags.host=", "a:1|c"});
  CHECK(explain.status == 0);
  CHECK(explain.output.find("\"points\":[\"a.count count=1,rate=1 ") != std::string::npos);
}
