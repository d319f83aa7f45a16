#pragma once
// Reads the conformance vectors (tests/vectors/*.tsv) and the facts that they expect.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "naive.hpp"

namespace tally::testing {

/// One row by the names of its columns, cells as they stand in the file.
class VectorRow {
 public:
  explicit VectorRow(std::map<std::string, std::string, std::less<>> cells)
      : cells_(std::move(cells)) {}

  /// REQUIRES: the file has such a column.
  const std::string& operator[](std::string_view column) const {
    return cells_.find(column)->second;
  }

 private:
  std::map<std::string, std::string, std::less<>> cells_;
};

/// All rows of a file: one header line, then exactly the header's columns, separated by tabs. Empty
/// when the file cannot be read or a row has other columns, so a test must require rows.
std::vector<VectorRow> read_vectors(const std::string& path);

/// One fact of a cell `expected`. `kind` is its first word (`counter`, `gauge`, `event`, `bad` ..);
/// of a `final` fact the second.
struct Fact {
  std::string kind;
  bool is_final = false;
  bool at_least = false;  ///< bad>=N
  NaiveSample sample;  ///< its `value` is also the N of bad=N and the count of a final set or timer
};

/// Takes apart a cell like `counter name=a value=1 rate=0.1 tags=k=v,x; bad=1`. Nothing if a part
/// of it is not in the grammar (stress.tsv has some prose).
std::optional<std::vector<Fact>> read_facts(std::string_view expected);

/// Whether it speaks of a metric: not of an event, a bad line, nothing, kv and so on. Its `sample`
/// has its kind then.
bool is_metric(const Fact& fact);

/// The bytes of a recipe of stress.tsv: terms b"text" or bytes(range(N)), each perhaps times *N,
/// joined by +. Nothing for another form (the lists of tcp rows).
std::optional<std::string> cook(std::string_view recipe);

}  // namespace tally::testing
