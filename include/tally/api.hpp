#pragma once
// The write APIs of InfluxDB: which one a server speaks, and a payload in its words. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tally/payload.hpp"
#include "tally/response.hpp"

namespace tally {

/// As `influxdb.api` names them. VictoriaMetrics speaks `v1`.
enum class Api : std::uint8_t { v0_8, v1, v2, v3 };

std::string_view to_string(Api api);  ///< "0.8", "1", "2", "3"

/// What a server says of itself.
struct Server {
  Api api = Api::v1;
  std::string version;  ///< as it names itself: "1.6.7~rc0", "v2.7.1", "InfluxDB v0.8.8 (git: ..)"
  friend bool operator==(const Server&, const Server&) = default;
};

/// The server behind an answer: by X-Influxdb-Version, which every answer of most versions carries,
/// else by the JSON that /ping (3.x) and /health (2.x, 3.x) give. Nothing if it names no InfluxDB.
std::optional<Server> identify(const Response& answer);

/// What to ask, in this order, of a server whose answers do not tell: until `identify` can.
inline constexpr std::string_view probe_paths[] = {"/ping", "/health"};

/// Where payloads go. No secrets: messages may show all of it.
struct Destination {
  std::string name;  ///< of `[[influxdb]]`; "" if there is only one
  std::string url;   ///< as configured, without user and password
  Api api = Api::v1;
  bool api_is_fixed = false;  ///< configured, not found out
  std::string database;       ///< of 2.x the bucket
  std::string retention_policy;
  std::string org;  ///< of 2.x
  std::string username;
  bool create_database = true;
};

struct Credentials {
  std::string username;
  std::string password;
  std::string token;
};

/// A request to a server, without its url.
struct ApiRequest {
  std::string path;                  ///< begins with '/', query included
  std::string body;                  ///< not compressed
  std::vector<std::string> headers;  ///< "Name: value", Authorization among them
  bool keeps_connection =
      true;  ///< 0.8 closes idle ones after 5 s, while a request may be on its way
};

/// The POST that writes a payload.
ApiRequest write_request(const Destination& to, const Credentials& credentials,
                         const Payload& payload);

/// The POST that creates the database; nothing where only an operator can (a bucket of 2.x) or
/// where a write creates it (3.x).
std::optional<ApiRequest> create_database_request(const Destination& to,
                                                  const Credentials& credentials);

}  // namespace tally
