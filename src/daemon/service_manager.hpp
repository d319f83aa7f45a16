#pragma once
// How systemd is told what the daemon does: sd_notify(3), by hand.
//
// The protocol is a few `KEY=value` bytes in a datagram to the socket named in $NOTIFY_SOCKET. Its
// authors advise against linking libsystemd for that.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tally {

/// The variables systemd sets for a service of Type=notify with WatchdogSec=; empty where it did
/// not.
struct ServiceEnvironment {
  std::string notify_socket;  ///< $NOTIFY_SOCKET: a path, or "@name" in the abstract name space
  std::string watchdog_usec;  ///< $WATCHDOG_USEC: it kills us after so long without `alive`
  std::string watchdog_pid;   ///< $WATCHDOG_PID: whom it watches; empty is "whoever reads this"

  static ServiceEnvironment of_process();
};

/// Tells the service manager; does nothing where there is none. A message that cannot be sent is
/// logged, because the consequence is a restart. Blocks for a second at the very most.
class ServiceManager {
 public:
  explicit ServiceManager(ServiceEnvironment environment = ServiceEnvironment::of_process())
      : environment_(std::move(environment)) {}

  void ready() const { notify("READY=1"); }        ///< sockets are open: start what waits for us
  void stopping() const { notify("STOPPING=1"); }  ///< the last window is on its way
  void alive() const { notify("WATCHDOG=1"); }     ///< from the loop, so that a stuck loop shows
  void status(std::string_view line) const;        ///< one line for `systemctl status`

  /// Call `alive` this often: half of what the unit allows. None when nobody watches this process.
  std::optional<std::chrono::milliseconds> watchdog_interval() const;

 private:
  void notify(std::string_view message) const;

  ServiceEnvironment environment_;
};

}  // namespace tally
