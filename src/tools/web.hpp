#pragma once
// tallyd's own HTTP server, as its tools see it.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/arguments.hpp"
#include "deliver/http.hpp"
#include "deliver/json.hpp"
#include "tally/config.hpp"
#include "tally/result.hpp"

namespace tally {

/// Where it answers, and what it wants to be told.
struct Site {
  std::string url;    ///< without a slash at its end
  std::string token;  ///< "" sends none; never shown
};

/// By --url and --token-file, else by [http] of the configuration, whose token no other url gets.
/// Reads the file.
Result<Site> site_of(const Arguments& arguments, const Config& config);

/// Enough for 1,000 series with long tags.
HttpSettings web_settings();

/// A GET of `target`, "/api/v1/ledger".
HttpRequest get(const Site& site, std::string_view target);

/// What kept an answer from being a 200, and what to do about it. Foreign words are quoted.
Status problem_of(const Response& response, const Site& site);

/// The JSON of an answer, or why there is none.
Result<Json> json_of(const Response& response, const Site& site);

/// Asks and waits.
Result<std::string> fetch(const Site& site, std::string_view target);

/// Follows an answer that goes on, to its end. No answer: Ctrl-C or SIGTERM came first.
std::optional<Response> follow(const Site& site, std::string_view target,
                               std::function<bool(std::string_view piece)> on_body);

}  // namespace tally
