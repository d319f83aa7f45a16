#include "http/representation.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/gzip.hpp"

namespace tally::http {
namespace {

constexpr std::size_t worth_packing_bytes = 1024;  // below it fits one packet as it is

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t";
  text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
  return text.substr(0, text.find_last_not_of(space) + 1);
}

/// Cuts off the part up to the next `separator`.
std::string_view take_part(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return trimmed(part);
}

/// Whether "gzip;q=0.5" lets it be sent: a weight of 0 forbids it.
bool is_wanted(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = take_part(parameters, ';');
    if (!is_same_text(take_part(value, '='), "q")) continue;
    return value.find_first_of("123456789") != std::string_view::npos;
  }
  return true;
}

bool takes_gzip(std::string_view accepted) {
  while (!accepted.empty()) {
    std::string_view parameters = take_part(accepted, ',');
    if (is_same_text(take_part(parameters, ';'), "gzip")) return is_wanted(parameters);
  }
  return false;
}

std::string_view without_weakness(std::string_view tag) {
  return tag.substr(tag.starts_with("W/") ? 2 : 0);
}

/// Whether If-None-Match names this tag. It compares weakly: W/"x" is "x".
bool names(std::string_view list, std::string_view tag) {
  if (trimmed(list) == "*") return true;
  tag = without_weakness(tag);
  while (!list.empty()) {
    if (without_weakness(take_part(list, ',')) == tag) return true;
  }
  return false;
}

/// Of what is packed for this answer the tag is weak: igzip does not make the same bytes of the
/// same text each time.
enum class Form { plain, packed, packed_now };

std::string tag_of(std::string_view body, Form form) {
  return fmt::format("{}\"{:016x}{}\"", form == Form::packed_now ? "W/" : "",
                     XXH3_64bits(body.data(), body.size()), form == Form::plain ? "" : "-gz");
}

Response tagged(Response response, std::string tag, const Wishes& wishes) {
  const bool has_it = names(wishes.has, tag);
  response.headers.push_back({"ETag", std::move(tag)});
  response.headers.push_back({"Vary", "Accept-Encoding"});
  if (has_it) {
    response.status = 304;
    response.body.clear();
  }
  return response;
}

}  // namespace

Wishes wishes_of(const Request& request) {
  return {.takes_gzip = takes_gzip(header(request, "Accept-Encoding").value_or("")),
          .has = std::string(header(request, "If-None-Match").value_or(""))};
}

Response represented(Response plain, const Wishes& wishes) {
  std::optional<std::string> packed;
  if (wishes.takes_gzip && plain.body.size() >= worth_packing_bytes) packed = gzip(plain.body);
  std::string tag = tag_of(plain.body, packed ? Form::packed_now : Form::plain);
  if (packed) {
    plain.body = std::move(*packed);
    plain.headers.push_back({"Content-Encoding", "gzip"});
  }
  return tagged(std::move(plain), std::move(tag), wishes);
}

Response represented_packed(Response packed, const Wishes& wishes, std::size_t bytes_max) {
  std::string tag = tag_of(packed.body, wishes.takes_gzip ? Form::packed : Form::plain);
  if (wishes.takes_gzip) {
    packed.headers.push_back({"Content-Encoding", "gzip"});
  } else {
    packed.body = gunzip(packed.body, bytes_max).value_or("");
  }
  return tagged(std::move(packed), std::move(tag), wishes);
}

}  // namespace tally::http
