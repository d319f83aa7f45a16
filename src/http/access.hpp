#pragma once
// Whom an answer is for: threats T8 to T11 of the design. Pure.
//
// A server on loopback is reached by every page that its user has open, for the browser stands on
// this side of the firewall. Three things give such a page away: the name that it was served under
// (Host: a page that points its own name at 127.0.0.1 keeps that name), and where the browser says
// that it comes from (Origin, Sec-Fetch-Site). Against other programs only a token helps.

#include <optional>
#include <string>
#include <vector>

#include "http/message.hpp"

namespace tally::http {

struct AccessRules {
  std::vector<std::string> hosts;  ///< names that Host may hold, beside IP literals and localhost
  std::string token;               ///< "": none is asked for
};

/// What a resource asks of who wants it.
struct Door {
  bool needs_token = true;  ///< if there is one
  bool takes_post = false;  ///< by POST alone; else by GET and HEAD
};

/// The answer to a request that is refused; nothing if it may have what it asks for.
///
///     400  no Host, or several (HTTP/1.0 may leave it out: no browser speaks that)
///     421  Host is a name that is not ours
///     403  a page of another site asks. Following a link to us is no such thing; a POST also needs
///          the header X-Requested-By, which a form of another site cannot send
///     401  no token, or a wrong one; compared in a time that does not tell how much of it is right
///     405  another method
std::optional<Response> refusal_of(const Request& request, const AccessRules& rules,
                                   const Door& door);

/// What every answer carries, so that a browser makes of it what it is, shows it in no frame, and
/// loads nothing from elsewhere.
std::vector<Header> security_headers();

}  // namespace tally::http
