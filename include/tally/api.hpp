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

/// The API of a version as a server names it: "1.6.7~rc0", "v2.7.1", "InfluxDB v0.8.8 (git: ..)".
/// Below 0.9 it is 0.8's, up to 1.x (VictoriaMetrics calls itself 1.8.0) 1's, and from 3 on 3's: of
/// a version not yet made the newest API is the best guess. Nothing if there is no number in it.
std::optional<Api> api_of(std::string_view version);

/// The server behind an answer: by X-Influxdb-Version, which every answer of most versions carries,
/// else by the JSON that /ping (3.x) and /health (1.8, 2.x) give. Nothing if it names no InfluxDB.
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

/// "" is none. With both a user and a token each API gets what is its own: 0.8 and 1 the user, 2
/// and 3 the token.
struct Credentials {
  std::string username;
  std::string password;
  std::string token;
};

/// A POST to a server, without its url.
struct ApiRequest {
  std::string path;  ///< begins with '/', query included; of 0.8 with user and password in it
  /// Not compressed. Nothing: the payload's own, which need not be copied to be packed.
  std::optional<std::string> body;
  std::vector<std::string> headers;  ///< "Name: value", Content-Type and Authorization
  /// Whether the next request may use this one's connection: 0.8 closes idle ones after 5 s, just
  /// when a request may be on its way.
  bool keeps_connection = true;
  /// Lines that are not in `body`, for the API has no words for them, by number from 0, ascending:
  /// of 0.8 what is not line protocol as `encode_influx` and `encode_notices` write it.
  std::vector<std::uint32_t> left_out;
};

/// The POST that writes a payload: for 0.8 as its JSON, else its own body. The same payload
/// always makes the same request, so a resend overwrites.
///
/// A retention policy makes bucket "database/policy" in 2.x, as its own mapping of 1.x does. 0.8
/// and 3.x have none: it is left out. 0.8 takes a user only with a password.
ApiRequest write_request(const Destination& to, const Credentials& credentials,
                         const Payload& payload);

/// The POST that creates the database; nothing where only an operator can (a bucket of 2.x) or
/// where a write creates it (3.x). Its answer is for `judge_created`.
std::optional<ApiRequest> create_database_request(const Destination& to,
                                                  const Credentials& credentials);

}  // namespace tally
