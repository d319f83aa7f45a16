#pragma once
// The CSV that influxd answers with.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tally::testing {

/// One record, by column.
using Row = std::map<std::string, std::string, std::less<>>;

/// Reads what influxd 1.x answers to `Accept: application/csv`: records of RFC 4180 with a header;
/// an empty line ends a table, and the next record is the header of the next one. Rows of all
/// tables come in one list.
std::vector<Row> parse_csv(std::string_view text);

/// Splits the column `tags` of an answer (`host=a,k=x\=y`) at commas and '=' that are not escaped,
/// and takes the escapes away.
std::map<std::string, std::string> parse_csv_tags(std::string_view text);

}  // namespace tally::testing
