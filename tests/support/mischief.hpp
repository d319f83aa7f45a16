#pragma once
// What a broken, hostile or misdirected client may send.

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tally::testing {

/// The largest payload of a UDP datagram over IPv4.
inline constexpr std::size_t datagram_bytes_max = 65'507;

/// Hostile datagrams of one kind, of at most `datagram_bytes_max` each.
struct HostileClass {
  std::string what;
  std::vector<std::string> datagrams;
};

/// Makes them, seeded: each time the same. No name in them begins with "good.".
class Mischief {
 public:
  /// `seeds` are datagrams to be mutated; classes of random content have `count` datagrams, the
  /// others a few that are different in kind.
  Mischief(std::vector<std::string> seeds, std::size_t count);

  std::vector<HostileClass> classes();

 private:
  using Texts = std::vector<std::string>;

  std::size_t any(std::size_t below) { return random_() % below; }
  const std::string& pick(const Texts& texts) { return texts[any(texts.size())]; }
  template <class Make>
  Texts many(Make make);

  std::string bytes(std::size_t size);
  Texts largest();
  std::string mutated();
  void mutate(std::string& text);
  std::string spoilt(const std::string& with);
  std::string injection();

  const Texts seeds_;
  const std::size_t count_;
  std::mt19937_64 random_{20240607};
};

}  // namespace tally::testing
