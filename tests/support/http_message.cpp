#include "http_message.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <sstream>

namespace tally::testing {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

std::string HttpMessage::path() const {
  return target.substr(0, target.find('?'));
}

std::string HttpMessage::parameter(std::string_view name) const {
  const std::size_t query = target.find('?');
  if (query == std::string::npos) return "";
  std::istringstream pairs(target.substr(query + 1));
  for (std::string pair; std::getline(pairs, pair, '&');) {
    const std::size_t sign = pair.find('=');
    if (pair.substr(0, sign) == name && sign != std::string::npos)
      return percent_decoded(pair.substr(sign + 1));
  }
  return "";
}

std::string HttpMessage::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::optional<HttpMessage> take_head(std::string& in) {
  const std::size_t end = in.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  HttpMessage message;
  std::istringstream head(in.substr(0, end + 2));
  std::string line;
  head >> message.method >> message.target;
  std::getline(head, line);
  while (std::getline(head, line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t value = line.find_first_not_of(' ', colon + 1);
    message.headers[lower(line.substr(0, colon))] = line.substr(value, line.size() - 1 - value);
  }
  in.erase(0, end + 4);
  return message;
}

std::size_t content_bytes(const HttpMessage& head) {
  return std::strtoul(head.header("content-length").c_str(), nullptr, 10);
}

std::string to_bytes(const HttpReply& reply) {
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " Whatever\r\n";
  for (const std::string& header : reply.headers) head += header + "\r\n";
  if (!reply.content_type.empty()) head += "Content-Type: " + reply.content_type + "\r\n";
  if (reply.status != 204) head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  return head + "\r\n" + reply.body;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const std::string digits(text.substr(i + 1, 2));
      out += static_cast<char>(std::strtoul(digits.c_str(), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::optional<std::string> gunzip(std::string_view packed) {
  z_stream stream{};
  constexpr int gzip_only = 15 + 16;
  if (inflateInit2(&stream, gzip_only) != Z_OK) std::abort();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  std::array<char, 65536> piece;
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END) return std::nullopt;
  return out;
}

std::string basic_credentials(std::string_view user, std::string_view password) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string plain = std::string(user) + ":" + std::string(password);
  std::string out = "Basic ";
  for (std::size_t i = 0; i < plain.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (i + j < plain.size() ? static_cast<unsigned char>(plain[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      out += i + j <= plain.size() ? digits[bits >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

}  // namespace tally::testing
