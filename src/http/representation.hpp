#pragma once
// The form that an answer takes for this client: packed or plain, or not at all if it has it.

#include <string>
#include <string_view>

#include "http/message.hpp"

namespace tally::http {

/// What a client said of itself. Owned, for an answer may come later than its request is gone.
struct Wishes {
  bool takes_gzip = false;
  std::string has;  ///< If-None-Match, as sent
};

Wishes wishes_of(const Request& request);

/// An answer with an ETag, of both forms a different one; packed, and then its tag is weak, if the
/// client takes that and it is worth it; 304 without a body if the client has it.
Response represented(Response plain, const Wishes& wishes);

/// As above, of a body that is packed already, so that both tags are strong. REQUIRES:
/// `packed.body` is what gzip made of at most `bytes_max` bytes.
Response represented_packed(Response packed, const Wishes& wishes, std::size_t bytes_max = 8 << 20);

}  // namespace tally::http
