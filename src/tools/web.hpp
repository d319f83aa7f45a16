#pragma once
// tallyd's own HTTP server, as its tools see it.

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

/// By --url and --token-file, else by [http] of the configuration. Reads the file.
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

}  // namespace tally
