#include "daemon/check.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "daemon/check_influxdb.hpp"
#include "daemon/check_spool.hpp"
#include "daemon/destinations.hpp"
#include "daemon/sources.hpp"
#include "receive/listeners.hpp"
#include "tally/text.hpp"

namespace tally {
namespace {

using Level = Finding::Level;

bool is_v6(const ListenAddress& literal) {
  return literal.host.find(':') != std::string::npos;
}

std::vector<ListenAddress> all_literals(const std::vector<ListenAddress>& addresses) {
  std::vector<ListenAddress> literals;
  for (const ListenAddress& address : addresses)
    for (ListenAddress& literal : literals_of(address)) literals.push_back(std::move(literal));
  return literals;
}

std::string_view ip_protocol(int type) {
  return type == SOCK_DGRAM ? "udp" : "tcp";
}

std::string ip_name(int type, const ListenAddress& literal) {
  return fmt::format("{} {}", ip_protocol(type), to_string(literal));
}

std::string unix_name(int type, const std::string& path) {
  return (type == SOCK_DGRAM ? "unixgram " : "unix ") + path;
}

Finding left_out(const std::string& name) {
  return {Level::note, name, "this machine does not have the address; tallyd leaves it out"};
}

/// Messages name what they are about; a finding does so already.
std::string without_subject(const std::string& message, const std::string& subject) {
  return message.starts_with(subject + ": ") ? message.substr(subject.size() + 2) : message;
}

template <class Socket>
Status error_of(const Result<Socket>& opened) {
  return opened ? std::nullopt : Status(opened.error());
}

/// `who` is the command that tells who has it.
Finding judge_bind(const std::string& name, const Status& error, const std::string& who) {
  if (!error) return {Level::well, name, "can be bound"};
  if (error->code != EADDRINUSE) return {Level::mend, name, without_subject(error->message, name)};
  return {Level::note, name, "in use; well if tallyd runs already, else see who has it: " + who};
}

std::string who_has_port(int type, const ListenAddress& literal) {
  return fmt::format("ss -l{}np 'sport = :{}'", ip_protocol(type)[0], literal.port);
}

Finding try_ip(int type, const ListenAddress& literal, const Status& error) {
  const std::string name = ip_name(type, literal);
  if (error && lacks_ipv6(literal, error->code)) return left_out(name);
  return judge_bind(name, error, who_has_port(type, literal));
}

/// `name` is "http" or "admin", and the section of its address.
void try_port(const std::string& name, const std::optional<ListenAddress>& listen,
              std::vector<Finding>& findings) {
  if (!listen) return;
  for (const ListenAddress& literal : literals_of(*listen)) {
    Finding finding =
        try_ip(SOCK_STREAM, literal, error_of(StreamSocket::open_tcp(literal, name + ".listen")));
    finding.subject = name + " " + to_string(literal);
    findings.push_back(std::move(finding));
  }
}

void try_token(const Config::Http& http, std::vector<Finding>& findings) {
  if (!http.listen || http.token_file.empty()) return;
  const std::string name = "http.token_file";
  const Result<std::string> token = read_secret(http.token_file, name);
  findings.push_back(token ? Finding{Level::well, name, "can be read"}
                           : Finding{Level::mend, name, token.error().message});
}

void try_ip_addresses(const Config::Listen& listen, std::vector<Finding>& findings) {
  for (const ListenAddress& literal : all_literals(listen.udp)) {
    const auto opened = DatagramSocket::open(literal, {.receive_buffer = listen.receive_buffer});
    findings.push_back(try_ip(SOCK_DGRAM, literal, error_of(opened)));
  }
  for (const ListenAddress& literal : all_literals(listen.tcp))
    findings.push_back(try_ip(SOCK_STREAM, literal, error_of(StreamSocket::open_tcp(literal))));
}

void try_unix_paths(const Config::Listen& listen, std::vector<Finding>& findings) {
  const Result<UnixAccess> access =
      parse_unix_owner(listen.unix_owner, static_cast<mode_t>(listen.unix_mode));
  if (!access) {
    findings.push_back({Level::mend, "listen.unix_owner", access.error().message});
    return;  // tallyd does not start without it
  }
  const auto add = [&](int type, const std::string& path, const Status& error) {
    findings.push_back(judge_bind(unix_name(type, path), error, "ss -xap src " + path));
  };
  for (const std::string& path : listen.unixgram)
    add(SOCK_DGRAM, path, error_of(DatagramSocket::open_unix(path, access.value())));
  for (const std::string& path : listen.unix_stream)
    add(SOCK_STREAM, path, error_of(StreamSocket::open_unix(path, access.value())));
}

/// The same buffer is asked for every socket, so one that is free tells.
Finding try_receive_buffer(std::uint64_t asked) {
  const Result<DatagramSocket> opened =
      DatagramSocket::open({.host = "127.0.0.1", .port = 0}, {.receive_buffer = asked});
  const std::string name = "receive buffer";
  if (!opened) return {Level::mend, name, opened.error().message};
  const std::uint64_t granted = opened.value().receive_buffer();
  if (granted >= grantable_buffer(asked))
    return {Level::well, name, fmt::format("the kernel grants the {} asked for", as_size(asked))};
  return {Level::mend, name,
          fmt::format("the kernel grants {} of the {} asked for, and drops datagrams sooner; raise "
                      "it: sysctl -w net.core.rmem_max={}",
                      as_size(granted), as_size(asked), asked)};
}

void find_output_problems(const Config& config, std::vector<Finding>& findings) {
  if (config.influxdb.front().url.empty()) {
    findings.push_back(
        {Level::note, "influxdb.url", "is \"\": each window is written to standard output"});
    return;
  }
  std::ranges::move(find_spool_problems(spools_of(config, spool_root(config))),
                    std::back_inserter(findings));
  for (const Config::Influxdb& each : config.influxdb)
    std::ranges::move(find_influxdb_problems(config, each), std::back_inserter(findings));
}

// The kernel's tables

/// An address as /proc/net/udp has it, "0100007F:1FBD".
std::string kernel_notation(const ListenAddress& literal) {
  std::array<std::uint32_t, 4> words{};
  const int family = is_v6(literal) ? AF_INET6 : AF_INET;
  inet_pton(family, literal.host.c_str(), words.data());
  std::string out;
  for (std::size_t i = 0; i < (is_v6(literal) ? 4 : 1); ++i) out += fmt::format("{:08X}", words[i]);
  return out + fmt::format(":{:04X}", literal.port);
}

/// The fields of a line, which are separated by spaces.
std::string_view take_field(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(end);
  return field;
}

std::string read_table(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Cuts the first line off `table`.
std::string_view take_line(std::string_view& table) {
  const std::size_t end = std::min(table.find('\n'), table.size());
  const std::string_view line = table.substr(0, end);
  table.remove_prefix(std::min(end + 1, table.size()));
  return line;
}

Finding nobody_receives(const std::string& name) {
  return {Level::mend, name,
          "nobody receives there; start tallyd, or name the configuration it runs with by "
          "--config"};
}

Finding find_ip_socket(int type, const ListenAddress& literal, const std::string& proc_net) {
  const std::string name = ip_name(type, literal);
  if (literal.port == 0)
    return {Level::note, name, "the kernel chose the port; cannot be looked up"};
  const std::string table =
      read_table(fmt::format("{}/{}{}", proc_net, ip_protocol(type), is_v6(literal) ? "6" : ""));
  if (const std::optional<std::uint64_t> waiting = waiting_at(table, type, literal)) {
    const std::string_view what = type == SOCK_DGRAM ? "bytes wait" : "connections wait";
    return {Level::well, name, fmt::format("bound, {} {}", with_commas(*waiting), what)};
  }
  const Result<DatagramSocket> probe = DatagramSocket::open({literal.host, 0}, {});
  if (!probe && lacks_ipv6(literal, probe.error().code)) return left_out(name);
  return nobody_receives(name);
}

// A socket goes on living when its file is removed, and nobody finds it any more.
bool has_lost_its_file(const std::string& path) {
  struct stat there {};
  return !path.starts_with('@') && lstat(path.c_str(), &there) != 0 && errno == ENOENT;
}

Finding find_unix_socket(int type, const std::string& path, std::string_view table) {
  const std::string name = unix_name(type, path);
  if (!is_bound(table, type, path)) return nobody_receives(name);
  if (has_lost_its_file(path))
    return {Level::mend, name,
            "bound, but its file was removed: nobody can send to it; restart tallyd"};
  return {Level::well, name, "bound"};
}

}  // namespace

std::vector<Finding> find_problems(const LoadedConfig& loaded) {
  const Config& config = loaded.config;
  std::vector<Finding> findings;
  try_ip_addresses(config.listen, findings);
  try_unix_paths(config.listen, findings);
  try_port("http", config.http.listen, findings);
  try_token(config.http, findings);
  try_port("admin", config.admin.listen, findings);
  if (!config.listen.udp.empty())
    findings.push_back(try_receive_buffer(config.listen.receive_buffer));
  if (std::optional<std::string> exposed = exposed_password(loaded))
    findings.push_back({Level::mend, "configuration", std::move(*exposed)});
  find_output_problems(config, findings);
  return findings;
}

std::vector<Finding> find_running(const Config& config, const std::string& proc_net) {
  const Config::Listen& listen = config.listen;
  std::vector<Finding> findings;
  for (const ListenAddress& literal : all_literals(listen.udp))
    findings.push_back(find_ip_socket(SOCK_DGRAM, literal, proc_net));
  for (const ListenAddress& literal : all_literals(listen.tcp))
    findings.push_back(find_ip_socket(SOCK_STREAM, literal, proc_net));
  const std::string unix_table = read_table(proc_net + "/unix");
  for (const std::string& path : listen.unixgram)
    findings.push_back(find_unix_socket(SOCK_DGRAM, path, unix_table));
  for (const std::string& path : listen.unix_stream)
    findings.push_back(find_unix_socket(SOCK_STREAM, path, unix_table));
  const auto is_note = [](const Finding& finding) { return finding.level == Level::note; };
  if (std::ranges::all_of(findings, is_note))
    findings.push_back({Level::mend, "listen",
                        "nothing could be looked up, so whether tallyd runs is not known; give one "
                        "address in listen a port of its own"});
  return findings;
}

std::optional<std::uint64_t> waiting_at(std::string_view table, int type,
                                        const ListenAddress& literal) {
  const std::string address = kernel_notation(literal);
  const std::string_view state = type == SOCK_DGRAM ? "07" : "0A";
  std::optional<std::uint64_t> waiting;
  while (!table.empty()) {
    std::string_view line = take_line(table);
    take_field(line);  // the slot
    if (take_field(line) != address) continue;
    take_field(line);  // the other side
    if (take_field(line) != state) continue;
    const std::string_view queues = take_field(line);
    const std::string_view receive = queues.substr(std::min(queues.find(':') + 1, queues.size()));
    std::uint64_t count = 0;
    std::from_chars(receive.data(), receive.data() + receive.size(), count, 16);
    waiting = waiting.value_or(0) + count;  // each worker has a socket of its own
  }
  return waiting;
}

bool is_bound(std::string_view table, int type, std::string_view path) {
  const bool is_stream = type == SOCK_STREAM;
  while (!table.empty()) {
    std::string_view line = take_line(table);
    for (int i = 0; i < 3; ++i) take_field(line);  // number, references, protocol
    const bool listens = take_field(line) == "00010000";
    const bool has_type = take_field(line) == (is_stream ? "0001" : "0002");
    take_field(line);  // the state
    take_field(line);  // the inode
    line.remove_prefix(std::min<std::size_t>(1, line.size()));
    // Accepted connections carry their listener's path.
    if (has_type && listens == is_stream && line == path) return true;
  }
  return false;
}

}  // namespace tally
