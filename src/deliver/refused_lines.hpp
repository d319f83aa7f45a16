#pragma once
// Which lines of a payload an answer names as refused. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/json.hpp"
#include "tally/payload.hpp"

namespace tally {

struct RefusedLines {
  std::vector<std::uint32_t> lines;  ///< those that were found, by number from 0, ascending
  std::uint32_t mentions = 0;        ///< how many the answer names, found or not
  std::string reason;                ///< of the first that is numbered, as the server put it
};

/// What 1.x and 2.x do: `unable to parse '<the whole line>': missing field value`, one after the
/// other, between them '\n' or in 1.x's header a blank. Lines that are the same share their fate.
RefusedLines quoted_lines(std::string_view error, const Payload& payload);

/// What 3.x does: `{"error":"..","data":[{"line_number":2,"error_message":".."}]}`; `data` is a
/// single object if the whole request was refused for that line.
RefusedLines numbered_lines(const Json& json, const Payload& payload);

}  // namespace tally
