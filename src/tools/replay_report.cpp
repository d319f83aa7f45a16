#include "tools/replay_report.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tally/text.hpp"

namespace tally {
namespace {

using Seconds = std::chrono::duration<double>;

std::string left_out(const ReplayReport& report) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < packet_kind_count; ++i) {
    const auto kind = static_cast<PacketKind>(i);
    if (kind != PacketKind::udp && report.kinds[i] > 0)
      parts.push_back(fmt::format("{} {}", with_commas(report.kinds[i]), in_words(kind)));
  }
  if (report.other_ports > 0)
    parts.push_back(fmt::format("{} to other ports", with_commas(report.other_ports)));
  return parts.empty() ? "" : fmt::format("left out: {}\n", fmt::join(parts, ", "));
}

/// Where several ports are mixed, one may have been meant.
std::string by_port(const ReplayReport& report) {
  constexpr std::size_t shown_max = 5;
  if (report.ports.size() < 2) return "";
  std::vector<std::pair<std::uint64_t, std::uint16_t>> busiest;
  for (const auto& [port, datagrams] : report.ports) busiest.emplace_back(datagrams, port);
  std::ranges::sort(busiest, std::greater());
  std::string out = "ports:";
  for (std::size_t i = 0; i < std::min(shown_max, busiest.size()); ++i)
    out += fmt::format("{} {} ({})", i > 0 ? "," : "", busiest[i].second,
                       with_commas(busiest[i].first));
  if (busiest.size() > shown_max) out += fmt::format(" and {} more", busiest.size() - shown_max);
  return out + fmt::format("; --port {} sends only those\n", busiest[0].second);
}

std::string time_in_words(std::chrono::nanoseconds since_1970) {
  return fmt::format(
      "{:%Y-%m-%d %H:%M:%S}",
      std::chrono::sys_seconds(std::chrono::floor<std::chrono::seconds>(since_1970)));
}

}  // namespace

std::string in_words(const ReplayReport& report, const std::string& to,
                     std::chrono::nanoseconds took) {
  std::string out =
      fmt::format("sent {} datagrams, {} bytes, to {} in {:.1f} s\n", with_commas(report.sent),
                  with_commas(report.bytes_sent), to, Seconds(took).count());
  out += fmt::format("{}: {}, {} packets", quote(report.file),
                     link_type_name(report.header.link_type), with_commas(report.packets));
  if (report.packets > 0)
    out +=
        fmt::format(" from {} to {} UTC", time_in_words(report.first), time_in_words(report.last));
  out += report.is_cut_short ? "; it ends inside a packet\n" : "\n";
  return out + left_out(report) + by_port(report);
}

}  // namespace tally
