#pragma once
// One InfluxDB as we know it: the API that it speaks, who we are to it, and what it is asked.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/delivery_log.hpp"
#include "deliver/http.hpp"
#include "tally/api.hpp"
#include "tally/payload.hpp"
#include "tally/response.hpp"
#include "tally/verdict.hpp"
#include "uv/handles.hpp"

namespace tally {

struct ServerSettings {
  Destination destination;  ///< its url: http://host:8086; a path and a slash at the end are fine
  Credentials credentials;
  std::chrono::milliseconds timeout{10'000};
  bool gzip = true;
  std::string ca_file;  ///< "" is the system's bundle
  std::string proxy;    ///< "" is none
  /// Asked after a 401 or 403, if set: what the credentials are now. What differs from those
  /// refused is tried at once.
  std::function<Credentials()> reload_credentials;
};

/// What came of a write.
struct WriteAnswer {
  Response response;
  Verdict verdict;  ///< by the API that the request was made for, whatever is spoken now
  Api api = Api::v1;
};

/// Makes requests, and judges what comes back. Knows nothing of what waits or of when to try again.
/// Several writes may be out at once, but nothing else beside a question: its answer may change how
/// all others are asked.
///
/// One loop, its thread. May be destroyed at any time, also from a callback of its own; nobody is
/// called back afterwards. No callback comes from inside the call that it was given to.
class InfluxServer {
 public:
  InfluxServer(uv::Loop& loop, ServerSettings settings, DeliveryLog& log);
  InfluxServer(const InfluxServer&) = delete;
  InfluxServer& operator=(const InfluxServer&) = delete;

  bool is_asking() const { return is_asking_; }

  const Destination& destination() const { return settings_.destination; }
  bool is_api_known() const { return is_api_known_; }
  /// As it called itself last: "1.6.7~rc0"; "" until it did.
  const std::string& version() const { return version_; }

  using OnWritten = std::function<void(const WriteAnswer&)>;
  /// Sends a payload, which must stay until it is answered. Where the API is not known that is
  /// asked first: if nobody answers then, that is the answer. REQUIRES: not asking.
  void write(const Payload& payload, OnWritten done);

  using OnVerdict = std::function<void(const Verdict&, const Response&)>;
  /// `written` if the database is there now. False, and nothing is asked, where only an operator
  /// can make one. REQUIRES: not asking.
  bool create_database(OnVerdict done);

  /// After an answer with `shows_without_points`: whether the server would take points now.
  /// REQUIRES: not asking.
  void ask_if_mended(std::function<void(bool)> done);

  /// Whether it answers anything at all without an error of its own. REQUIRES: not asking.
  void ask_if_alive(std::function<void(bool)> done);

  /// After an answer that leaves the API in doubt. True if the next attempt speaks another one than
  /// that answer's request did, and may be made at once.
  bool doubt_api(const WriteAnswer& answer);

  /// Reads the credentials again. True if they have changed, and may be tried at once.
  bool reload_credentials();

  void cancel();  ///< forgets all that is out

 private:
  struct Writing {
    const Payload* payload;
    OnWritten done;
  };
  /// What a request was made with.
  struct Sent {
    Destination to;
    std::vector<std::uint32_t> left_out = {};  ///< lines of the payload that it does not hold
    std::uint64_t creations = 0;
  };

  HttpRequest get(std::string_view path) const;
  void ask(HttpRequest question, Http::Done done);
  void find_api(Writing writing, std::size_t probe);
  void send(Writing writing);
  WriteAnswer judged(Response response, const Payload& payload, const Sent& sent);
  void use(const Server& server);

  ServerSettings settings_;  ///< with the API that was found and the credentials read last
  std::string url_;          ///< what paths are put behind
  DeliveryLog& log_;
  Http http_;
  bool is_api_known_;
  std::string version_;
  bool is_asking_ = false;
  std::uint64_t creations_ = 0;  ///< of the database
  bool has_created_ = false;     ///< and no write that was begun since has been answered
  bool has_switched_ = false;    ///< the API, and nothing was written since
};

}  // namespace tally
