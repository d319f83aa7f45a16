// F16, F17: the server's certificate or its name is not what it should be.

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "faults_rig.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* openssl = "/usr/bin/openssl";

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Authorities and certificates made up for one test.
class Certificates {
 public:
  Certificates() {
    for (const char* name : {"ours", "theirs"}) {
      make({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", path(name, ".key"), "-out", path(name, ".pem"), "-subj", "/CN=authority",
            "-days", "2"});
    }
  }

  /// A server's certificate, signed by our authority; with "-1" days it ended yesterday.
  void sign(const std::string& name, const std::string& subject, const std::string& days) const {
    make({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
          path(name, ".key"), "-out", path(name, ".csr"), "-subj", "/CN=server", "-addext",
          "subjectAltName=" + subject});
    make({"x509", "-req", "-in", path(name, ".csr"), "-CA", path("ours", ".pem"), "-CAkey",
          path("ours", ".key"), "-days", days, "-copy_extensions", "copy", "-out",
          path(name, ".pem")});
  }

  std::string path(const std::string& name, const char* ending) const {
    return directory_.path() + "/" + name + ending;
  }

 private:
  void make(std::vector<std::string> arguments) const {
    Process process({.path = openssl,
                     .arguments = std::move(arguments),
                     .environment = {},
                     .directory = directory_.path()});
    REQUIRE_MESSAGE(process.wait(20s) == 0, process.log());
  }

  TemporaryDirectory directory_;
};

// Ends TLS for the sake of its handshake; it answers no POST.
class TlsServer {
 public:
  TlsServer(const Certificates& certificates, const std::string& name,
            const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = {"s_server",
                                          "-accept",
                                          "127.0.0.1:" + std::to_string(port_.number()),
                                          "-cert",
                                          certificates.path(name, ".pem"),
                                          "-key",
                                          certificates.path(name, ".key"),
                                          "-www"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    process_ = std::make_unique<Process>(
        Command{.path = openssl, .arguments = arguments, .environment = {}, .directory = ""});
    REQUIRE_MESSAGE(eventually(20s, [this] { return has(process_->output(), "ACCEPT"); }),
                    process_->log());
  }

  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_.number()); }

 private:
  ReservedPort port_;
  std::unique_ptr<Process> process_;
};

}  // namespace

TEST_CASE("F16: each distrust of a TLS server has its own words, and the points are kept" *
          doctest::skip(access(openssl, X_OK) != 0)) {
  Certificates certificates;
  certificates.sign("good", "IP:127.0.0.1", "2");
  certificates.sign("expired", "IP:127.0.0.1", "-1");
  certificates.sign("other", "DNS:elsewhere.test", "2");
  const TlsServer good(certificates, "good");
  const TlsServer silent(certificates, "good");  // a server of its own: each serves one at a time
  const TlsServer expired(certificates, "expired");
  const TlsServer other(certificates, "other");
  const TlsServer old(certificates, "good", {"-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"});
  Badflux plain;
  plain.listen();
  struct Row {
    std::string name;
    std::string url;
    const char* authority;
    const char* words;
  };
  const std::array<Row, 6> rows = {{
      {"expired", expired.url(), "ours", "certificate has expired"},
      {"another host", other.url(), "ours", "no alternative certificate subject name"},
      {"an unknown authority", good.url(), "theirs", "unable to get local issuer certificate"},
      {"TLS 1.0", old.url(), "ours", "protocol version"},
      {"a plain server", "https" + plain.url().substr(4), "ours", "wrong version number"},
      {"none: only the answer is missing", silent.url(), "ours", "did not answer"},
  }};
  std::vector<std::unique_ptr<Tallyd>> all;
  for (const Row& row : rows) {
    all.push_back(std::make_unique<Tallyd>(
        TallydOptions{.influxdb_url = row.url,
                      .interval = "200ms",
                      .sets = {is_sanitized ? "influxdb.timeout=10s" : "influxdb.timeout=1s",
                               "influxdb.ca_file=" + certificates.path(row.authority, ".pem")}}));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(rows[i].name);
    Tallyd& tallyd = *all[i];
    CHECK_MESSAGE(tallyd.wait_for_log(rows[i].words), tallyd.log());
    for (const Row& row : rows)
      CHECK(has(tallyd.log(), row.words) == (std::string_view(row.words) == rows[i].words));
    const bool is_trusted = &rows[i] == &rows.back();
    CHECK(has(tallyd.log(), "no trusted connection") != is_trusted);
  }
  for (const auto& tallyd : all) tallyd->signal(SIGTERM);  // each tries for some seconds more
  for (const auto& tallyd : all) {
    CHECK_MESSAGE(tallyd->wait(stop_limit) == 0, tallyd->log());
    CHECK_MESSAGE(has(tallyd->log(), " 0 written"), tallyd->log());
  }
  CHECK(plain.stored().points() == 0);
}

// A sanitizer wants to be loaded before anything else.
TEST_CASE("F17: an unknown host is named, and its points are written once it has an address" *
          doctest::skip(is_sanitized)) {
  const TemporaryDirectory directory;
  const std::string file = directory.write("resolver", "unknown\n");
  Badflux server;
  server.listen();
  Tallyd tallyd({.influxdb_url = "http://db.test:" + std::to_string(server.port()),
                 .interval = "200ms",
                 .environment = {{"LD_PRELOAD", RESOLVER_SHIM}, {"FAULT_RESOLVER", file}}});
  Load load(tallyd.port());
  load.run(500ms);
  CHECK(tallyd.wait_for_log("cannot find the host of http://db.test"));
  CHECK(server.connects().empty());
  directory.write("resolver", "127.0.0.1\n");
  finish(tallyd, server, load);
}

TEST_CASE("F17: while the name service does not answer, lines are read and the end does not wait" *
          doctest::skip(is_sanitized)) {
  const TemporaryDirectory directory;
  const std::string file = directory.write("resolver", "slow\n");
  Tallyd tallyd({.influxdb_url = "http://db.test:8086",
                 .interval = "200ms",
                 .environment = {{"LD_PRELOAD", RESOLVER_SHIM}, {"FAULT_RESOLVER", file}}});
  Load load(tallyd.port());
  load.run(1s);
  tallyd.stop();  // REQUIREs that it takes less than 5 s
  CHECK(has(tallyd.log(), "did not take them before the end"));
  CHECK(!has(tallyd.log(), "cannot find the host"));
}
