#pragma once
// The files of a spool as a test may find or change them, by the format's own page and without the
// code that is tested.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tally::testing {

/// The segments of one destination's folder.
std::vector<std::filesystem::path> segments_in(const std::string& sink);

/// Makes a segment one of version 2, as a later tallyd would have left it.
void make_newer(const std::filesystem::path& segment);

/// Copies a segment so often, each copy with a number of its own behind the last: a backlog of any
/// size, in the time that the disk needs.
void multiply(const std::filesystem::path& segment, int copies);

}  // namespace tally::testing
