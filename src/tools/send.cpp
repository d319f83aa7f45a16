#include "tools/send.hpp"

#include <fmt/format.h>

#include <chrono>
#include <istream>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tools/complaint.hpp"
#include "tools/statsd_line.hpp"
#include "tools/statsd_socket.hpp"
#include "tools/target.hpp"
#include "tools/timed_command.hpp"

namespace tally {
namespace {

Status send_one(const Target& target, std::string_view line) {
  Result<StatsdSocket> socket = StatsdSocket::connect(target);
  if (!socket) return socket.error();
  if (Status error = socket.value().send(line)) return error;
  return socket.value().find_refusal();
}

/// Sends a line that tallyd would take.
int send_line(const Result<std::string>& line, const Target& target, const Config& config,
              std::ostream& err) {
  if (!line) return complain(err, line.error(), exit_usage);
  if (const auto why = why_refused(line.value(), config)) {
    err << *why;
    return exit_usage;
  }
  const Status error = send_one(target, line.value());
  return error ? complain(err, *error, exit_failed) : 0;
}

LineParts parts_of(const Arguments& arguments) {
  return {.kind = arguments.words[0],
          .name = arguments.words[1],
          .value = arguments.words[2],
          .rate = arguments.value("rate"),
          .tags = arguments.values("tag")};
}

// ---------------------------------------------------------------------------------------- time

/// The line of a command that took so long.
Result<std::string> line_of(const Arguments& arguments, const Ended& ended) {
  LineParts parts{.kind = "timer", .name = arguments.words[1], .tags = arguments.values("tag")};
  parts.value =
      fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(ended.took).count());
  parts.rate = arguments.value("rate");
  parts.tags.emplace_back(ended.status == 0 ? "status:ok" : "status:failed");
  return value_line(parts);
}

/// The command's status counts, whatever becomes of the line.
int send_time(const Arguments& arguments, const Target& target, const Config& config,
              std::ostream& err) {
  if (arguments.words.size() < 3)
    return complain(err,
                    Error{"time what? such as tallyd send time backup -- tar czf home.tgz /home"},
                    exit_usage);
  // Before it runs: a command that cannot be timed should not have run.
  const Result<std::string> trial = line_of(arguments, {});
  if (!trial) return complain(err, trial.error(), exit_usage);
  if (const auto why = why_refused(trial.value(), config)) {
    err << *why;
    return exit_usage;
  }
  const Result<Ended> ended = run_timed({arguments.words.begin() + 2, arguments.words.end()});
  if (!ended) return complain(err, ended.error(), ended.error().code);
  send_line(line_of(arguments, ended.value()), target, config, err);
  return ended.value().status;
}

// ---------------------------------------------------------------------------- standard input

/// Lines on their way, as many as fit in one datagram.
class Packer {
 public:
  explicit Packer(StatsdSocket& socket) : socket_(socket) {}

  Status add(std::string_view line) {
    if (line.empty()) return {};
    if (!packed_.empty() && packed_.size() + 1 + line.size() > socket_.bytes_max())
      if (Status error = flush()) return error;
    if (!packed_.empty()) packed_ += '\n';
    packed_ += line;
    return {};
  }

  Status flush() {
    if (packed_.empty()) return {};
    Status error = socket_.send(packed_);
    packed_.clear();
    return error;
  }

 private:
  StatsdSocket& socket_;
  std::string packed_;
};

/// Lines of a stream, none longer than fits into a datagram.
class BoundedLines {
 public:
  explicit BoundedLines(std::istream& in) : in_(in), buffer_(bytes_max + 1) {}

  bool next() {
    in_.getline(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    const auto read = static_cast<std::size_t>(in_.gcount());
    is_too_long_ = in_.fail() && read > 0;
    if (is_too_long_) {
      in_.clear();
      in_.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    const bool has_end = !is_too_long_ && !in_.eof() && read > 0;
    line_ = {buffer_.data(), read - (has_end ? 1 : 0)};
    return read > 0;
  }

  std::string_view line() const { return line_; }    ///< without its end; until `next`
  bool is_too_long() const { return is_too_long_; }  ///< then its rest was passed over
  bool is_more_at_hand() const { return in_.rdbuf()->in_avail() > 0; }

 private:
  static constexpr std::size_t bytes_max = 65'507;

  std::istream& in_;
  std::vector<char> buffer_;
  std::string_view line_;
  bool is_too_long_ = false;
};

std::optional<std::string> why_not_sent(const BoundedLines& lines, const Config& config) {
  if (lines.is_too_long()) return "refused: a line of more than 65,507 bytes\n";
  return why_refused(lines.line(), config);
}

/// Sends all lines that tallyd would take, and names the others.
int send_lines(const Target& target, const Config& config, std::istream& in, std::ostream& err) {
  Result<StatsdSocket> socket = StatsdSocket::connect(target);
  if (!socket) return complain(err, socket.error(), exit_failed);
  Packer packer(socket.value());
  BoundedLines lines(in);
  bool all_sent = true;
  Status error;
  while (!error && lines.next()) {
    if (const auto why = why_not_sent(lines, config)) {
      err << *why;
      all_sent = false;
    } else {
      error = packer.add(lines.line());
    }
    // What is there is packed; what is still being typed is not waited for.
    if (!error && !lines.is_more_at_hand()) error = packer.flush();
  }
  if (!error) error = packer.flush();
  if (!error) error = socket.value().find_refusal();
  if (error) return complain(err, *error, exit_failed);
  return all_sent ? 0 : exit_failed;
}

}  // namespace

int run_send(const Arguments& arguments, const Config& config, std::istream& in,
             std::ostream& err) {
  const std::vector<std::string>& words = arguments.words;
  const Result<Target> target = target_of(arguments, config);
  if (!target) return complain(err, target.error(), exit_usage);
  if (words[0] == "time") return send_time(arguments, target.value(), config, err);
  if (words[0] == "-" && words.size() == 1) return send_lines(target.value(), config, in, err);
  if (words.size() != 3)
    return complain(
        err, Error{"send wants a kind, a name and a value, such as tallyd send counter hits 1"},
        exit_usage);
  return send_line(words[0] == "event" ? event_line(words[1], words[2], arguments.values("tag"))
                                       : value_line(parts_of(arguments)),
                   target.value(), config, err);
}

}  // namespace tally
