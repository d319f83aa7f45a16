#pragma once
// A value, or a message an operator can act on. We do not throw; a function that can fail because
// the world failed (a file, a socket, a config text) returns one of these.

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace tally {

/// What went wrong, in one line (in several only where a function says so): what, on what, why,
/// what to do now. Never ends in a newline.
struct Error {
  std::string message;
  int code = 0;  ///< errno, where a caller decides by it
};

/// Either a `T` or an `Error`. Test it before use; `value()` on an error is a programming mistake
/// and ends the process through the standard library's assertion.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : either_(std::move(value)) {}  // implicit, so that `return value;` reads well
  Result(Error error) : either_(std::move(error)) {}  // and so does `return Error{...};`

  explicit operator bool() const { return either_.index() == 0; }
  T& value() & { return std::get<0>(either_); }
  const T& value() const& { return std::get<0>(either_); }
  T&& value() && { return std::get<0>(std::move(either_)); }
  const Error& error() const { return std::get<1>(either_); }

 private:
  std::variant<T, Error> either_;
};

/// The outcome of an action that yields nothing: no error means it was done.
using Status = std::optional<Error>;

}  // namespace tally
