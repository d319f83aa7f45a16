#pragma once

#include <cstdint>
#include <string_view>

namespace tally {

/// The CRC-32C (Castagnoli) of `bytes`, as in RFC 3720 B.4; with `before` that of what went before
/// and `bytes` together. By SSE 4.2 where the processor has it.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

/// The same by table, for any processor; for tests to compare.
std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before = 0);

}  // namespace tally
