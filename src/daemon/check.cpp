#include "daemon/check.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "daemon/sources.hpp"
#include "receive/listeners.hpp"
#include "tally/text.hpp"
#include "tally/verdict.hpp"

namespace tally {
namespace {

using Level = Finding::Level;

constexpr long ping_timeout_ms = 2000;
constexpr std::size_t version_bytes_max = 100;

bool is_v6(const ListenAddress& literal) {
  return literal.host.find(':') != std::string::npos;
}

std::vector<ListenAddress> all_literals(const Config& config) {
  std::vector<ListenAddress> literals;
  for (const ListenAddress& address : config.listen.udp)
    for (ListenAddress& literal : literals_of(address)) literals.push_back(std::move(literal));
  return literals;
}

std::string left_out(const ListenAddress& literal) {
  return fmt::format("udp {}: this machine does not have the address; tallyd leaves it out",
                     to_string(literal));
}

Finding try_to_bind(const ListenAddress& literal, std::uint64_t receive_buffer) {
  const Result<DatagramSocket> opened =
      DatagramSocket::open(literal, {.receive_buffer = receive_buffer});
  if (opened) return {Level::well, fmt::format("udp {}: can be bound", to_string(literal))};
  const Error& error = opened.error();
  if (lacks_ipv6(literal, error.code)) return {Level::note, left_out(literal)};
  if (error.code != EADDRINUSE) return {Level::mend, error.message};
  return {Level::note,
          fmt::format("udp {0}: in use; well if tallyd runs already, else see who has it: "
                      "ss -lunp 'sport = :{1}'",
                      to_string(literal), literal.port)};
}

/// The same buffer is asked for every socket, so one that is free tells.
Finding try_receive_buffer(std::uint64_t asked) {
  const Result<DatagramSocket> opened =
      DatagramSocket::open({.host = "127.0.0.1", .port = 0}, {.receive_buffer = asked});
  if (!opened) return {Level::mend, opened.error().message};
  const std::uint64_t granted = opened.value().receive_buffer();
  if (granted >= asked)
    return {Level::well,
            fmt::format("receive buffer: the kernel grants the {} asked for", as_size(asked))};
  return {Level::mend,
          fmt::format("receive buffer: the kernel grants {} of the {} asked for, and drops "
                      "datagrams sooner; raise it: sysctl -w net.core.rmem_max={}",
                      as_size(granted), as_size(asked), asked)};
}

// InfluxDB

struct CurlDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

struct Answer {
  long status = 0;
  std::string version;
  std::string error;
};

/// For libcurl: keeps the value of X-Influxdb-Version.
std::size_t on_header(char* data, std::size_t size, std::size_t count, void* version) noexcept {
  constexpr std::string_view name = "x-influxdb-version:";
  const std::string_view line(data, size * count);
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  if (line.size() <= name.size() || !std::equal(name.begin(), name.end(), line.begin(),
                                                [&](char b, char a) { return same(a, b); }))
    return line.size();
  std::string_view value = line.substr(name.size(), version_bytes_max);
  const std::size_t begin = std::min(value.find_first_not_of(' '), value.size());
  value.remove_prefix(begin);
  static_cast<std::string*>(version)->assign(value.substr(0, value.find_first_of("\r\n")));
  return line.size();
}

std::size_t ignore_body(char*, std::size_t size, std::size_t count, void*) noexcept {
  return size * count;
}

Answer ping(const Config::Influxdb& influxdb) {
  Answer answer;
  const std::unique_ptr<CURL, CurlDeleter> handle(curl_easy_init());
  if (!handle) return {.error = "out of memory"};
  CURL* const curl = handle.get();
  std::string url = influxdb.url;
  while (url.ends_with('/')) url.pop_back();
  curl_easy_setopt(curl, CURLOPT_URL, (url + "/ping").c_str());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ping_timeout_ms);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_PROXY, influxdb.proxy.c_str());
  if (!influxdb.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, influxdb.ca_file.c_str());
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer.version);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore_body);
  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) answer.error = curl_easy_strerror(code);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

void find_influxdb_problems(const Config::Influxdb& influxdb, std::vector<Finding>& findings) {
  if (influxdb.url.empty()) {
    findings.push_back(
        {Level::note, "influxdb.url is \"\": each window is written to standard output"});
    return;
  }
  if (!influxdb.password_file.empty()) {
    const Result<std::string> secret = read_secret(influxdb.password_file);
    if (!secret) findings.push_back({Level::mend, secret.error().message});
  }
  const Answer answer = ping(influxdb);
  findings.push_back(judge_ping(influxdb.url, answer.status, answer.version, answer.error));
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

Finding find_socket(const ListenAddress& literal, const std::string& proc_net) {
  const std::string name = to_string(literal);
  if (literal.port == 0)
    return {Level::note,
            fmt::format("udp {}: the kernel chose the port; cannot be looked up", name)};
  const std::string table = read_table(proc_net + (is_v6(literal) ? "/udp6" : "/udp"));
  if (const std::optional<std::uint64_t> waiting = bytes_waiting(table, literal))
    return {Level::well, fmt::format("udp {}: bound, {} bytes wait", name, with_commas(*waiting))};
  const Result<DatagramSocket> probe = DatagramSocket::open({literal.host, 0}, {});
  if (!probe && lacks_ipv6(literal, probe.error().code)) return {Level::note, left_out(literal)};
  return {Level::mend, fmt::format("udp {}: nobody receives there; start tallyd, or name the "
                                   "configuration it runs with by --config",
                                   name)};
}

}  // namespace

std::vector<Finding> find_problems(const LoadedConfig& loaded) {
  const Config& config = loaded.config;
  std::vector<Finding> findings;
  for (const ListenAddress& literal : all_literals(config))
    findings.push_back(try_to_bind(literal, config.listen.receive_buffer));
  findings.push_back(try_receive_buffer(config.listen.receive_buffer));
  if (std::optional<std::string> exposed = exposed_password(loaded))
    findings.push_back({Level::mend, std::move(*exposed)});
  find_influxdb_problems(config.influxdb, findings);
  return findings;
}

std::vector<Finding> find_running(const Config& config, const std::string& proc_net) {
  std::vector<Finding> findings;
  for (const ListenAddress& literal : all_literals(config))
    findings.push_back(find_socket(literal, proc_net));
  return findings;
}

std::optional<std::uint64_t> bytes_waiting(std::string_view table, const ListenAddress& literal) {
  const std::string wanted = kernel_notation(literal);
  std::optional<std::uint64_t> waiting;
  while (!table.empty()) {
    const std::size_t end = std::min(table.find('\n'), table.size());
    std::string_view line = table.substr(0, end);
    table.remove_prefix(std::min(end + 1, table.size()));
    take_field(line);  // the slot
    if (take_field(line) != wanted) continue;
    take_field(line);  // the other side
    take_field(line);  // the state
    const std::string_view queues = take_field(line);
    const std::string_view receive = queues.substr(std::min(queues.find(':') + 1, queues.size()));
    std::uint64_t bytes = 0;
    std::from_chars(receive.data(), receive.data() + receive.size(), bytes, 16);
    waiting = waiting.value_or(0) + bytes;  // each worker has a socket of its own
  }
  return waiting;
}

Finding judge_ping(const std::string& url, long status, const std::string& version,
                   const std::string& error) {
  const std::string where = "influxdb " + quote(url);
  if (status == 0)
    return {Level::mend,
            fmt::format("{}: no answer: {}; is InfluxDB running there? see influxdb.url", where,
                        error)};
  if (version.empty())
    return {Level::mend, fmt::format("{}: answers with status {} but not as InfluxDB does (no "
                                     "X-Influxdb-Version); see influxdb.url",
                                     where, status)};
  if (!speaks_api_1(version))
    return {Level::mend,
            fmt::format(
                "{}: is version {}, and tallyd speaks the API of 1.x (POST /write); use InfluxDB "
                "1.x",
                where, quote(version))};
  if (status != 204 && status != 200)
    return {Level::mend,
            fmt::format("{}: /ping answers with status {} (version {}); see influxdb.url", where,
                        status, quote(version))};
  return {Level::well, fmt::format("{}: answers, version {}", where, quote(version))};
}

int report(const std::vector<Finding>& findings, std::ostream& out) {
  bool is_well = true;
  for (const Finding& finding : findings) {
    is_well = is_well && finding.level != Level::mend;
    const std::string_view mark = finding.level == Level::well   ? "ok  "
                                  : finding.level == Level::note ? "note"
                                                                 : "MEND";
    out << mark << "  " << finding.line << '\n';
  }
  out << std::flush;
  return is_well ? 0 : 1;
}

}  // namespace tally
