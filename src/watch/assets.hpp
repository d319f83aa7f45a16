#pragma once
// The files of the page, compressed when tallyd is built (scripts/embed.py): src/watch/page and
// dygraphs. They hold no data, so they may be given to anyone who may reach the port.

#include <span>
#include <string_view>

namespace tally {

struct Asset {
  std::string_view path;  ///< "/" is the page itself; the others are named in it, "/page.css"
  std::string_view content_type;
  std::string_view gzipped;
};

/// Sorted by path. Static: lives as long as the process.
std::span<const Asset> page_assets();

}  // namespace tally
