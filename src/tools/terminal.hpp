#pragma once
// The terminal as a screen of its own, without ncurses: ANSI sequences that every terminal knows.

#include <termios.h>

#include <string>
#include <vector>

#include "tools/top_view.hpp"

namespace tally {

/// Takes the terminal: the alternate screen, no cursor, keys at once and unseen. Gives it back as
/// it was when it goes.
class Terminal {
 public:
  /// Whether standard input and output are one.
  static bool is_there();

  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  static constexpr int keys_fd = 0;

  Screen screen() const;  ///< its size now
  void draw(const std::vector<std::string>& lines) const;
  /// What was typed since the last call; "" at its end.
  std::string read_keys() const;

 private:
  termios before_{};
};

}  // namespace tally
