#pragma once
// A receive thread: its own loop, its own sockets, its own table, no locks.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "listeners.hpp"
#include "receiver.hpp"
#include "streams.hpp"
#include "tally/ingest.hpp"
#include "tally/look.hpp"
#include "tap.hpp"
#include "uv/handles.hpp"
#include "uv/mailbox.hpp"

namespace tally {

/// What a worker hands over when main closes a window.
struct WindowPart {
  std::uint64_t window;  ///< the number main gave with `close_window`
  Gathered gathered;
  double buffer_fill;       ///< of the fullest socket, 0 .. 1
  std::size_t connections;  ///< open streams
};

/// What the open window holds so far. The counts are those that its WindowPart will go on from.
struct WorkerReport {
  std::uint64_t number = 0;          ///< the one main gave with `report`
  std::vector<IngestCounts> counts;  ///< one a listener
  RefusedRing refused;
  std::vector<Sender> senders;  ///< most lines first, at most `senders_max`
  std::size_t series = 0;
  std::vector<double> buffer_fill;       ///< of datagram sockets, 0 .. 1
  std::vector<std::size_t> connections;  ///< of stream listeners; open
  std::optional<WallTime> last_heard;    ///< when something came in, in this window or before

  static constexpr std::size_t senders_max = 100;
};

/// What was found in the open window.
struct WorkerFound {
  std::uint64_t number;  ///< the one main gave with `look`
  std::vector<Looked> series;
};

/// Receives, parses and aggregates until it is told to close the window: then it swaps its table
/// for an empty one and goes on. Between two windows it shares nothing with anyone; whoever wants
/// to see something asks, and gets a copy between two batches.
class Worker {
 public:
  /// What a worker tells main, in this order: a report that was asked for before a window was
  /// closed comes before that window's part.
  using Letter = std::variant<WindowPart, WorkerReport, WorkerFound, TapBatch>;
  using OnLetter = std::function<void(Letter)>;

  static constexpr std::size_t found_max = 10'000;  ///< series in one WorkerFound

  struct Settings {
    IngestRules rules;
    Streams::Settings streams;  ///< its `allow` holds for datagrams too
    /// For the queues of datagrams at a stop. Main waits 1.2 s for the last window, and streams are
    /// read to the end of 0.8 s.
    std::chrono::milliseconds read_at_end{600};
  };

  /// An empty table, and from when on it gathers.
  struct Window {
    Table table;
    WallTime opened;
  };

  /// Starts the thread. `on_letter` is called on that thread. `settings` must outlive the worker.
  Worker(Listeners listeners, const Settings& settings, Window first, OnLetter on_letter);
  ~Worker();  ///< ends the thread and waits for it

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Any thread. Ends the open window and opens the next.
  void close_window(std::uint64_t window, Window next);

  /// Any thread. Reads what still waits in the sockets' queues, hands over the last window and
  /// receives no more. Datagrams that still wait when `read_at_end` is over are counted as unread.
  void stop(std::uint64_t window);

  /// Any thread. Asks for a WorkerReport.
  void report(std::uint64_t number);

  /// Any thread. Asks for a WorkerFound: what is meant, some thousand series at a time; forgets it
  /// at once if told so. Begins anew when the window ends meanwhile.
  void look(std::uint64_t number, IsMeant is_meant, bool forgets);

  /// Any thread. From now on a copy of what comes in is handed over 20 times a second, until told
  /// otherwise; each must be acknowledged by `tap_seen`, or no more than two are on their way.
  void tap(bool is_wanted);
  void tap_seen();

 private:
  struct Close {
    std::uint64_t window;
    std::optional<Window> next;  // none: stop
  };
  struct Report {
    std::uint64_t number;
  };
  struct Look {
    std::uint64_t number;
    IsMeant is_meant;
    bool forgets;
    std::size_t begin = 0;     // where it goes on
    std::uint64_t window = 0;  // the window that it has seen the beginning of; 0: none
    std::vector<Looked> found;
  };
  struct TapSwitch {
    bool is_wanted;
  };
  struct TapSeen {};
  using Order = std::variant<Close, Report, Look, TapSwitch, TapSeen>;

  Streams::Owner stream_owner();
  void on_order(Close order);
  void on_order(Report order);
  void on_order(Look order);
  void on_order(TapSwitch order);
  void on_order(TapSeen order);
  void hand_tap_over();
  void hand_over(std::uint64_t window, Gathered gathered);
  void on_readable(std::uint32_t listener);
  bool read(std::uint32_t listener);
  void read_later(bool is_drained);
  void read_unwatched();
  void read_before_close();
  bool receive_batch(std::uint32_t listener);
  void take(std::span<const Datagram> datagrams, Arrival& arrival);
  void take_counts();
  bool is_whole(std::string_view line);
  void drain();
  void discard(std::uint32_t listener);

  const Settings& settings_;
  OnLetter on_letter_;
  std::vector<DatagramSocket> sockets_;
  std::size_t listeners_;
  Receiver receiver_;
  Ingestor ingestor_;
  Gathered gathered_;
  uv::Loop loop_;
  std::vector<std::unique_ptr<uv::Poll>> polls_;
  std::vector<bool> may_nap_;             // by listener
  std::vector<Instant> last_ready_;       // by listener: when the kernel last said so
  std::vector<std::uint32_t> unwatched_;  // listeners that are read by the timer or in turns
  uv::Timer nap_timer_;
  uv::Async turn_;                    // in place of the timer: as soon as the others had their turn
  bool is_turn_due_ = false;          // then the timer does not run
  std::unique_ptr<Streams> streams_;  // none without stream listeners
  std::optional<WallTime> last_heard_;
  std::uint64_t windows_ = 1;    // number of the open one, for looks
  std::optional<TapBatch> tap_;  // what came since the last one; none: no one wants it
  unsigned taps_under_way_ = 0;
  bool has_stopped_ = false;  // there is no open window any more
  uv::Timer tap_timer_;
  std::unique_ptr<uv::Mailbox<Order>> orders_;
  std::unique_ptr<uv::Async> end_;
  std::thread thread_;
};

}  // namespace tally
