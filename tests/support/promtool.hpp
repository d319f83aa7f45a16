#pragma once
// Debian's promtool as the judge of Prometheus' text format.

#include <string>

namespace tally::testing {

/// Whether promtool is installed; tests that ask it are skipped by name where it is not.
bool has_promtool();

/// What `promtool check metrics` says of a text: its exit status (0: fine; 3: readable, but it
/// would rather have other names; 1: not the format), and its complaints.
struct PromtoolAnswer {
  int status;
  std::string complaints;
};
PromtoolAnswer promtool_check(const std::string& text);

}  // namespace tally::testing
