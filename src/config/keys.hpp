#pragma once
// The table of configuration keys: one row a key, which says how it is read, checked and printed.
// Private to config: toml++ stays out of the public header.

#include <toml++/toml.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tally/config.hpp"

namespace tally::config_detail {

/// What is wrong with a value. `why` follows the key's name in the message: "must be .., not 5".
struct Fault {
  std::string why;
  const toml::node* where = nullptr;  ///< the array element at fault; null: the value itself
};

using Read = std::function<std::optional<Fault>(const toml::node&, Config&)>;
using Print = std::function<std::string(const Config&)>;

struct Key {
  KeyInfo info;
  Read read;    ///< leaves the config alone when it finds a fault; null for "tags"
  Print print;  ///< the value as TOML, of a secret: stars; null for "tags"
  bool is_secret = false;
};

/// The rows of the sections that deliver. Those of [influxdb] know the first destination only.
void add_influxdb(std::vector<Key>& rows);
void add_spool(std::vector<Key>& rows);

/// All keys, in the order of the shipped file; the keys of a section stand together.
const std::vector<Key>& keys();

/// The row of "flush.interval"; null if there is none.
const Key* find_key(std::string_view name);

/// Whether keys start with `name` and a dot.
bool is_section(std::string_view name);

/// Reads the value of a static tag, `tags.<name>`, in place of an earlier one of that name.
std::optional<Fault> read_tag(std::string_view name, const toml::node& node, Config& config);

/// Text as a basic string of TOML, quotes included. REQUIRES: valid UTF-8.
std::string toml_string(std::string_view text);

/// A key as TOML writes it: bare if it can be, else quoted. REQUIRES: valid UTF-8.
std::string toml_key(std::string_view key);

}  // namespace tally::config_detail
