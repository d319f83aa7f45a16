// F7: the other host is gone without a word, as when its power or the cable fails: no RST, no FIN.

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "faults_rig.hpp"
#include "namespaces.hpp"

using namespace tally::testing;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

/// A tallyd and a badflux on two hosts.
class TwoHosts {
 public:
  TwoHosts() {
    {
      const Inside inside(far_);
      server_.emplace();
      server_->listen_everywhere();
    }
    inside_.emplace(near_);
    tallyd_.emplace(
        TallydOptions{.influxdb_url = "http://10.77.0.2:" + std::to_string(server_->port()),
                      .interval = "200ms",
                      // Far longer than the death of the host may take to be noticed.
                      .sets = {"influxdb.timeout=5m", "influxdb.api=1"}});
    load_.emplace(tallyd_->port());
  }

  Badflux& server() { return *server_; }
  Tallyd& tallyd() { return *tallyd_; }
  Load& load() { return *load_; }
  void cut() { cable_.cut(); }
  void mend() { cable_.mend(); }

 private:
  Network near_;
  Network far_;
  Cable cable_{near_, far_};
  std::optional<Badflux> server_;
  std::optional<Inside> inside_;
  std::optional<Tallyd> tallyd_;
  std::optional<Load> load_;
};

void check_is_noticed(TwoHosts& hosts) {
  const auto begin = Clock::now();
  // Either the connection ended, or libcurl's own second try already met nobody.
  constexpr std::string_view says = " points wait in memory";
  const auto is_noticed = [&] { return hosts.tallyd().log().find(says) != std::string::npos; };
  CHECK_MESSAGE(hosts.load().run_until(is_noticed), hosts.tallyd().log());
  const auto took = Clock::now() - begin;
  MESSAGE("noticed after " << took / 1ms << " ms: " << line_with(hosts.tallyd().log(), says));
  CHECK(took > 3s);  // not a mere hiccup of the network
  CHECK(took < 15s);
}

}  // namespace

TEST_CASE("F7: a host that dies while its answer is awaited is noticed within 15 s" *
          doctest::skip(!may_make_namespaces())) {
  TwoHosts hosts;
  hosts.server().set_script(mute());
  REQUIRE(hosts.load().run_until([&] { return writes(hosts.server()).size() == 1; }));
  hosts.cut();
  check_is_noticed(hosts);
  hosts.server().set_script(serve());
  hosts.mend();
  finish(hosts.tallyd(), hosts.server(), hosts.load());
}

TEST_CASE("F7: a host that dies between two windows is noticed within 15 s of the next" *
          doctest::skip(!may_make_namespaces())) {
  TwoHosts hosts;
  REQUIRE(hosts.load().run_until([&] { return writes(hosts.server()).size() >= 3; }));
  hosts.cut();
  check_is_noticed(hosts);
  hosts.mend();
  finish(hosts.tallyd(), hosts.server(), hosts.load());
}
