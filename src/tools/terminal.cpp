#include "tools/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace tally {
namespace {

/// What cannot be written is gone: a terminal that has hung up.
void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

bool Terminal::is_there() {
  return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
}

Terminal::Terminal() {
  tcgetattr(STDIN_FILENO, &before_);
  termios raw = before_;
  // Ctrl-C comes as a key too, and ends us like q.
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
  raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  write_all("\x1b[?1049h\x1b[?25l");
}

Terminal::~Terminal() {
  write_all("\x1b[0m\x1b[?25h\x1b[?1049l");
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

Screen Terminal::screen() const {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
    return {.is_colored = true};
  return {.rows = size.ws_row, .columns = size.ws_col, .is_colored = true};
}

void Terminal::draw(const std::vector<std::string>& lines) const {
  std::string all;
  for (std::size_t i = 0; i < lines.size(); ++i)
    all += "\x1b[" + std::to_string(i + 1) + ";1H" + lines[i];
  write_all(all);
}

std::string Terminal::read_keys() const {
  std::array<char, 1024> buffer;
  const ssize_t bytes = read(STDIN_FILENO, buffer.data(), buffer.size());
  return bytes > 0 ? std::string(buffer.data(), static_cast<std::size_t>(bytes)) : std::string();
}

}  // namespace tally
