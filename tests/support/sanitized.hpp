#pragma once
// Whether this is a build with AddressSanitizer or ThreadSanitizer.

namespace tally::testing {

/// A sanitizer has memory of its own, and takes time: what is measured then says nothing of
/// tallyd's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

}  // namespace tally::testing
