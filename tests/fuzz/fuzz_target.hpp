#pragma once
// What libFuzzer calls, and what replay_main calls on each file of a corpus.

#include <cstddef>
#include <cstdint>

/// Runs one input. Returns 0; a broken promise ends the process with a message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
