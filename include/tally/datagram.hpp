#pragma once
// What a socket hands over in one piece.

#include <string_view>

namespace tally {

/// One datagram as it was received. Borrowed bytes.
struct Datagram {
  std::string_view bytes;
  bool is_truncated = false;  ///< it was larger than the buffer; `bytes` is its beginning
};

}  // namespace tally
