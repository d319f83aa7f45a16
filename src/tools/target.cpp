#include "tools/target.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "tally/text.hpp"

namespace tally {
namespace {

using Transport = Target::Transport;

constexpr std::array<std::pair<std::string_view, Transport>, 3> schemes = {
    {{"udp://", Transport::udp}, {"tcp://", Transport::tcp}, {"unix://", Transport::unix_socket}}};

Error bad_target(std::string_view text) {
  return Error{"--to " + quote(text, 80) +
               " is no address; write udp://127.0.0.1:8125, tcp://127.0.0.1:8125, "
               "unix:///run/tallyd/statsd.sock or unix://@name"};
}

bool read_port(std::string_view digits, std::uint16_t& port) {
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, port);
  return error == std::errc() && stopped == end && port != 0;
}

/// "host:port", "host", "[::1]:port" or "[::1]".
bool read_host(std::string_view text, Target& target) {
  const bool is_v6 = text.starts_with('[');
  const std::size_t end = is_v6 ? text.find(']') : text.find(':');
  if (is_v6 && end == std::string_view::npos) return false;
  target.host = text.substr(is_v6 ? 1 : 0, is_v6 ? end - 1 : end);
  const std::string_view rest = text.substr(std::min(is_v6 ? end + 1 : end, text.size()));
  if (target.host.empty()) return false;
  return rest.empty() || (rest.starts_with(':') && read_port(rest.substr(1), target.port));
}

}  // namespace

std::string reachable(const std::string& listened_on) {
  return listened_on == "*" || listened_on == "localhost" ? "127.0.0.1" : listened_on;
}

Result<Target> parse_target(std::string_view text) {
  for (const auto& [scheme, transport] : schemes) {
    if (!text.starts_with(scheme)) continue;
    Target target{.transport = transport};
    const std::string_view rest = text.substr(scheme.size());
    if (transport == Transport::unix_socket && !rest.empty())
      target.host = rest;
    else if (transport == Transport::unix_socket || !read_host(rest, target))
      break;
    return target;
  }
  return bad_target(text);
}

Result<Target> first_listener(const Config& config) {
  const Config::Listen& listen = config.listen;
  const auto of = [](Transport transport, const ListenAddress& address) {
    return Target{transport, reachable(address.host), address.port};
  };
  if (!listen.udp.empty()) return of(Transport::udp, listen.udp.front());
  if (!listen.tcp.empty()) return of(Transport::tcp, listen.tcp.front());
  if (!listen.unixgram.empty()) return Target{Transport::unix_socket, listen.unixgram.front()};
  if (!listen.unix_stream.empty())
    return Target{Transport::unix_socket, listen.unix_stream.front()};
  return Error{"the configuration listens nowhere: say --to udp://127.0.0.1:8125"};
}

Result<Target> target_of(const Arguments& arguments, const Config& config) {
  return arguments.has("to") ? parse_target(arguments.value("to")) : first_listener(config);
}

std::string to_string(const Target& target) {
  if (target.transport == Transport::unix_socket) return "unix " + quote(target.host, 108);
  const bool is_v6 = target.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + target.host + "]" : target.host;
  return (target.transport == Transport::udp ? "udp " : "tcp ") + host + ":" +
         std::to_string(target.port);
}

}  // namespace tally
