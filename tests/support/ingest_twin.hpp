#pragma once
// The Ingestor's slow twin: every line through the parser, every sample through its series' key.

#include <optional>
#include <string>
#include <vector>

#include "tally/ingest.hpp"

namespace tally::testing {

/// Gives the same datagrams to an Ingestor and to its twin, in three windows: all of them, every
/// second one, all again. The Ingestor keeps its table, its twin gets a new one for each window.
/// Says what differs first: counts, refused lines, or a series; none if nothing does.
std::optional<std::string> ingest_disagreement(const std::vector<std::string>& datagrams,
                                               const IngestRules& rules,
                                               const TableRules& table_rules = {});

}  // namespace tally::testing
