#include "http/access.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "tally/peer.hpp"
#include "tally/text.hpp"

namespace tally::http {
namespace {

/// "host:port" without the port, "[::1]:80" without port and brackets.
std::string_view host_of(std::string_view authority) {
  const std::size_t close = authority.find(']');
  if (authority.starts_with('[') && close != std::string_view::npos)
    return authority.substr(1, close - 1);
  return authority.substr(0, authority.find(':'));
}

bool is_ip_literal(std::string_view host) {
  return host.find('/') == std::string_view::npos && parse_network(host);
}

bool is_listed(std::string_view host, const AccessRules& rules) {
  return std::ranges::any_of(rules.hosts,
                             [host](const std::string& own) { return is_same_text(host, own); });
}

std::optional<Response> refuse_host(const Request& request, const AccessRules& rules) {
  const auto is_host = [](const Field& field) { return is_same_text(field.name, "Host"); };
  const auto count = std::ranges::count_if(request.headers, is_host);
  if (count > 1) return error(400, "the request has more than one Host header");
  if (count == 0) return std::nullopt;  // the server itself insists on it from HTTP/1.1 on
  const std::string_view host = host_of(*header(request, "Host"));
  if (is_ip_literal(host) || is_same_text(host, "localhost") || is_listed(host, rules))
    return std::nullopt;
  return error(421, fmt::format("this server is not known as {}; ask for it by its IP address, or "
                                "add the name to http.hosts",
                                quote(host, 100)));
}

/// The "host:port" of "http://host:port"; nothing of "null".
std::string_view authority_of(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos ? "" : origin.substr(scheme + 3);
}

bool is_own_origin(std::string_view origin, const Request& request, const AccessRules& rules) {
  const std::string_view authority = authority_of(origin);
  // Listed names too: a proxy in front may have put another Host in place of its own.
  return !authority.empty() && (is_same_text(authority, header(request, "Host").value_or("")) ||
                                is_listed(host_of(authority), rules));
}

/// Someone who clicked on a link. Not a frame, an image or a script.
bool follows_link(const Request& request) {
  return request.method == "GET" && header(request, "Sec-Fetch-Mode") == "navigate" &&
         header(request, "Sec-Fetch-Dest") == "document";
}

std::optional<Response> refuse_site(const Request& request, const AccessRules& rules) {
  const auto origin = header(request, "Origin");
  if (origin && !is_own_origin(*origin, request, rules))
    return error(403, "a page of another site asks for this; open tallyd's own page instead");
  const std::string_view site = header(request, "Sec-Fetch-Site").value_or("none");
  if (site == "same-origin" || site == "none" || follows_link(request)) return std::nullopt;
  return error(403, "a page of another site asks for this; open tallyd's own page instead");
}

/// Takes as long for each `given` of one length.
bool is_equal_in_constant_time(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char other = secret.empty() ? '\0' : secret[i % secret.size()];
    difference |= static_cast<unsigned char>(given[i] ^ other);
  }
  return difference == 0;
}

std::optional<Response> refuse_token(const Request& request, const AccessRules& rules) {
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view sent = header(request, "Authorization").value_or("");
  const bool is_bearer = is_same_text(sent.substr(0, scheme.size()), scheme);
  if (is_bearer && is_equal_in_constant_time(sent.substr(scheme.size()), rules.token))
    return std::nullopt;
  Response response = error(401, sent.empty() ? "this needs the token of http.token_file, sent as "
                                                "\"Authorization: Bearer TOKEN\""
                                              : "the token is wrong; see http.token_file");
  response.headers.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

std::optional<Response> refuse_method(const Request& request, const Door& door) {
  const bool is_read = request.method == "GET" || request.method == "HEAD";
  if (door.takes_post ? request.method == "POST" : is_read) return std::nullopt;
  const std::string allowed = door.takes_post ? "POST" : "GET, HEAD";
  Response response = error(405, "this takes " + allowed + " only");
  response.headers.push_back({"Allow", allowed});
  return response;
}

std::optional<Response> refuse_form(const Request& request) {
  if (request.method != "POST" || !header(request, "X-Requested-By").value_or("").empty())
    return std::nullopt;
  return error(403, "a POST needs the header X-Requested-By, with any value");
}

}  // namespace

std::optional<Response> refusal_of(const Request& request, const AccessRules& rules,
                                   const Door& door) {
  if (auto refusal = refuse_host(request, rules)) return refusal;
  if (auto refusal = refuse_site(request, rules)) return refusal;
  if (door.needs_token && !rules.token.empty()) {
    if (auto refusal = refuse_token(request, rules)) return refusal;
  }
  if (auto refusal = refuse_method(request, door)) return refusal;
  return refuse_form(request);
}

std::vector<Header> security_headers() {
  return {{"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Content-Security-Policy",
           "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
           "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}};
}

}  // namespace tally::http
