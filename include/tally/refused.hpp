#pragma once
// The last lines that were refused: what an operator wants to see when a counter moves.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tally/peer.hpp"
#include "tally/sample.hpp"
#include "tally/time.hpp"

namespace tally {

/// One refused line. Foreign bytes: quote() before showing.
struct RefusedLine {
  Reason reason = Reason::missing_value;
  std::uint32_t listener = 0;  ///< index in the daemon's list
  Peer peer;
  Instant heard{};
  std::string text;          ///< of a long line the part around the caret
  std::uint32_t caret = 0;   ///< the byte of `text` that decided
  std::uint32_t before = 0;  ///< bytes of the line that `text` leaves out, on its left
  /// And on its right; none if the line's end was never seen (`truncated`, `line_too_long`).
  std::optional<std::uint32_t> after = 0;

  bool goes_on() const { return after != 0U; }
};

/// Keeps the newest `lines_max`; a newcomer takes the place and the memory of the oldest, so a
/// flood of refusals allocates nothing.
class RefusedRing {
 public:
  static constexpr std::size_t lines_max = 100;
  static constexpr std::size_t text_bytes_max = 200;

  /// `refusal.line` is cut to `text_bytes_max`.
  void add(const Refusal& refusal, std::uint32_t listener, const Peer& peer, Instant heard);

  /// Adds what another ring holds; the newest of both stay.
  void merge(const RefusedRing& other);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// Oldest first. Valid until the ring changes.
  std::vector<const RefusedLine*> lines() const;
  void clear() { size_ = 0; }

 private:
  RefusedLine& next_slot();

  std::vector<RefusedLine> slots_;
  std::size_t first_ = 0;  // oldest
  std::size_t size_ = 0;
};

/// The text in quotes as printable ASCII and on a second line a caret under the byte that decided,
/// each line behind `indent` spaces and ended by '\n'. Of a long text the part around that byte.
std::string with_caret(std::string_view text, std::size_t caret, std::size_t indent);

/// As above; ".." stands where the ring left bytes out, too.
std::string with_caret(const RefusedLine& line, std::size_t indent);

/// As quote() of the text, with the number of bytes that are left out, or ".." where nobody knows.
std::string quote(const RefusedLine& line);

}  // namespace tally
