#include "http/message.hpp"

#include <algorithm>

#include "tally/text.hpp"

namespace tally::http {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::optional<std::string_view> first(const std::vector<Field>& fields, auto has_name) {
  const auto found = std::ranges::find_if(fields, has_name, &Field::name);
  return found == fields.end() ? std::nullopt : std::optional(found->value);
}

}  // namespace

bool is_same_text(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<std::string_view> header(const Request& request, std::string_view name) {
  return first(request.headers,
               [name](std::string_view candidate) { return is_same_text(candidate, name); });
}

std::optional<std::string_view> parameter(const Request& request, std::string_view name) {
  return first(request.parameters,
               [name](std::string_view candidate) { return candidate == name; });
}

Response error(unsigned status, std::string_view text) {
  Response response{.status = status, .headers = {{"Content-Type", "application/json"}}};
  response.body = "{\"error\":";
  append_json_string(response.body, text);
  response.body += "}\n";
  return response;
}

}  // namespace tally::http
