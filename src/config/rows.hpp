#pragma once
// How a row of the table of keys is made: one function a type of value. `get` is a generic lambda
// from a config to the field, so that a row names its field once.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "keys.hpp"
#include "rules.hpp"
#include "tally/text.hpp"

namespace tally::config_detail {

using std::chrono::milliseconds;
using MaybeFault = std::optional<Fault>;

/// A value as a message may show it.
inline std::string shown(const toml::node& node) {
  if (const auto* text = node.as_string()) return quote(text->get(), 60);
  if (const auto* integer = node.as_integer()) return fmt::format("{}", integer->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  if (node.is_array()) return "an array";
  if (node.is_table()) return "a table";
  return "a date or time";
}

inline Fault must_be(std::string_view allowed, const toml::node& node) {
  return Fault{fmt::format("must be {}, not {}", allowed, shown(node))};
}

using TextRule = std::string (*)(std::string_view text);  // of rules.hpp

template <class Get>
Key text(std::string_view name, std::string_view meaning, Get get, TextRule rule = plain_text) {
  const Read read = [get, rule](const toml::node& node, Config& config) -> MaybeFault {
    const auto* const value = node.as_string();
    if (value == nullptr) return must_be("a string", node);
    if (std::string why = rule(value->get()); !why.empty()) return Fault{std::move(why)};
    get(config) = value->get();
    return {};
  };
  return {{name, meaning}, read, [get](const Config& config) { return toml_string(get(config)); }};
}

template <class Get>
Key flag(std::string_view name, std::string_view meaning, Get get) {
  const Read read = [get](const toml::node& node, Config& config) -> MaybeFault {
    const auto* const value = node.as_boolean();
    if (value == nullptr) return must_be("true or false", node);
    get(config) = value->get();
    return {};
  };
  return {{name, meaning}, read, [get](const Config& config) {
            return get(config) ? "true" : "false";
          }};
}

struct Limits {
  std::int64_t min;
  std::int64_t max;
};

template <class Get>
Key number(std::string_view name, std::string_view meaning, Get get, Limits limits) {
  const Read read = [get, limits](const toml::node& node, Config& config) -> MaybeFault {
    const auto* const value = node.as_integer();
    if (value == nullptr || value->get() < limits.min || value->get() > limits.max)
      return must_be(fmt::format("a whole number from {} to {}", limits.min, limits.max), node);
    auto& field = get(config);
    field = static_cast<std::remove_reference_t<decltype(field)>>(value->get());
    return {};
  };
  return {
      {name, meaning}, read, [get](const Config& config) { return std::to_string(get(config)); }};
}

/// "32MiB", or a number of bytes.
inline std::optional<std::uint64_t> bytes_of(const toml::node& node) {
  const auto* const number = node.as_integer();
  if (number != nullptr && number->get() >= 0) return static_cast<std::uint64_t>(number->get());
  const auto* const string = node.as_string();
  const Result<std::uint64_t> size = string ? parse_size(string->get()) : Error{};
  return size ? std::optional(size.value()) : std::nullopt;
}

template <class Get>
Key size(std::string_view name, std::string_view meaning, Get get, Limits limits) {
  const Read read = [get, limits](const toml::node& node, Config& config) -> MaybeFault {
    const std::optional<std::uint64_t> bytes = bytes_of(node);
    if (!bytes || std::cmp_less(*bytes, limits.min) || std::cmp_greater(*bytes, limits.max))
      return must_be(fmt::format("a size from {} to {}, such as \"32MiB\"",
                                 as_size(static_cast<std::uint64_t>(limits.min)),
                                 as_size(static_cast<std::uint64_t>(limits.max))),
                     node);
    get(config) = *bytes;
    return {};
  };
  return {{name, meaning}, read, [get](const Config& config) {
            return toml_string(as_size(get(config)));
          }};
}

struct Durations {
  milliseconds min;
  milliseconds max;
  bool zero_is_for_ever = false;
};

template <class Get>
Key duration(std::string_view name, std::string_view meaning, Get get, Durations limits) {
  const Read read = [get, limits](const toml::node& node, Config& config) -> MaybeFault {
    const auto* const string = node.as_string();
    const Result<milliseconds> value = string ? parse_duration(string->get()) : Error{};
    const bool is_for_ever = value && limits.zero_is_for_ever && value.value().count() == 0;
    if (!value || (!is_for_ever && (value.value() < limits.min || value.value() > limits.max)))
      return must_be(fmt::format("a duration from {} to {}, such as \"10s\"{}",
                                 duration_to_string(limits.min), duration_to_string(limits.max),
                                 limits.zero_is_for_ever ? ", or \"0\" for ever" : ""),
                     node);
    get(config) = value.value();
    return {};
  };
  return {{name, meaning}, read, [get](const Config& config) {
            return toml_string(duration_to_string(get(config)));
          }};
}

/// One address to listen on, or "" for none.
template <class Get>
Key address(std::string_view name, std::string_view meaning, std::string_view example, Get get) {
  const Read read = [get, example](const toml::node& node, Config& config) -> MaybeFault {
    const auto* const text = node.as_string();
    if (text == nullptr)
      return must_be(fmt::format("an address, such as \"{}\", or \"\" for none", example), node);
    get(config).reset();
    if (text->get().empty()) return {};
    Result<ListenAddress> parsed = parse_listen_address(text->get());
    if (!parsed) return Fault{"is wrong: " + parsed.error().message};
    get(config) = std::move(parsed).value();
    return {};
  };
  return {{name, meaning}, read, [get](const Config& config) {
            return toml_string(get(config) ? to_string(*get(config)) : "");
          }};
}

/// One of a few words, for an enum that counts from 0 in their order.
using Words = std::vector<std::string_view>;

inline Fault must_be_word(const Words& words, const toml::node& node) {
  std::string allowed;
  for (std::size_t i = 0; i < words.size(); ++i)
    allowed += fmt::format("{}\"{}\"",
                           i == 0                  ? ""
                           : i + 1 == words.size() ? " or "
                                                   : ", ",
                           words[i]);
  Fault fault = must_be(allowed, node);
  const auto* const text = node.as_string();
  const std::string_view near = text == nullptr ? "" : nearest(text->get(), words);
  if (!near.empty()) fault.why += fmt::format("; did you mean \"{}\"?", near);
  return fault;
}

template <class Get>
Key word(std::string_view name, std::string_view meaning, Get get, Words words) {
  const Read read = [get, words](const toml::node& node, Config& config) -> MaybeFault {
    const auto* const text = node.as_string();
    const auto found = text ? std::ranges::find(words, text->get()) : words.end();
    if (found == words.end()) return must_be_word(words, node);
    auto& field = get(config);
    field = static_cast<std::remove_reference_t<decltype(field)>>(found - words.begin());
    return {};
  };
  return {{name, meaning}, read, [get, words](const Config& config) {
            return toml_string(words[static_cast<std::size_t>(get(config))]);
          }};
}

/// A text that is never shown, neither in messages nor in print.
template <class Get>
Key secret(std::string_view name, std::string_view meaning, Get get) {
  const Read read = [get](const toml::node& node, Config& config) -> MaybeFault {
    const auto* const value = node.as_string();
    if (value == nullptr) return Fault{"must be a string (its value is not shown)"};
    if (std::string why = plain_text(value->get()); !why.empty()) return Fault{std::move(why)};
    get(config) = value->get();
    return {};
  };
  const Print print = [get](const Config& config) -> std::string {
    return get(config).empty() ? "\"\"" : "\"********\"";
  };
  return {{name, meaning}, read, print, true};
}

}  // namespace tally::config_detail
