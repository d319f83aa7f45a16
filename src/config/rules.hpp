#pragma once
// What a text in the configuration may hold. Each rule returns the empty string if the text is
// fine, else what is wrong with it, to follow the key's name: "must be valid UTF-8".

#include <string>
#include <string_view>

namespace tally::config_detail {

/// Below 0x20, and 0x7f.
bool is_control(char c);

/// Valid UTF-8 without control bytes, at most 4,096 bytes.
std::string plain_text(std::string_view text);

/// As a measurement's beginning: also no backslash, no leading '#', at most 128 bytes.
std::string prefix_text(std::string_view text);

/// `time` and the names of fields cannot be tags; a name or a value has at most 256 bytes.
std::string tag_name_text(std::string_view name);
std::string tag_value_text(std::string_view value);

/// A path with a '/', or '@' and a name; at most 107 bytes, which is all that an address holds.
std::string unix_path_text(std::string_view path);

/// http:// or https://, a host, perhaps a port and a path; or nothing. No credentials, no query.
std::string url_text(std::string_view text);
std::string proxy_text(std::string_view text);

/// Nothing, or what `destination_name` promises.
std::string destination_name_text(std::string_view text);

/// No ':', which would end it in an Authorization header.
std::string username_text(std::string_view text);

/// A host's name without a port: letters, digits, '-' and '.', at most 253 of them.
std::string host_name_text(std::string_view text);

/// One of the levels of log.level.
std::string level_text(std::string_view text);

}  // namespace tally::config_detail
