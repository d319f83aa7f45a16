#include "base/gzip.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace tally;

namespace {

std::string drawn_from(std::string_view alphabet, std::size_t bytes, std::mt19937& random) {
  std::string text(bytes, ' ');
  std::ranges::generate(text, [&] { return alphabet[random() % alphabet.size()]; });
  return text;
}

std::string noise(std::size_t bytes, std::mt19937& random) {
  std::string text(bytes, ' ');
  std::ranges::generate(text, [&] { return static_cast<char>(random()); });
  return text;
}

std::string lines(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += "api.requests." + std::to_string(i) + ".counter,host=a count=3,rate=0.3 1700000000\n";
  return text;
}

/// Of every length from none on, and of a payload's; what shrinks and what does not.
std::vector<std::string> all_kinds(std::mt19937& random) {
  std::vector<std::string> all = {lines(5000), std::string(1 << 20, 'x')};
  for (std::size_t bytes = 0; bytes < 300; ++bytes) {
    all.push_back(drawn_from("abc", bytes, random));
    all.push_back(noise(bytes, random));
  }
  for (const unsigned bytes : {65'535U, 65'536U, 400'000U, 1U << 20}) {
    all.push_back(drawn_from("0123456789,=. \n", bytes, random));
    all.push_back(noise(bytes, random));
  }
  return all;
}

}  // namespace

TEST_CASE("gzip: what does not shrink grows by little, and gunzip gives all of it back") {
  std::mt19937 random(7);
  for (const std::string& plain : all_kinds(random)) {
    CAPTURE(plain.size());
    const auto packed = gzip(plain);
    REQUIRE(packed);
    CHECK(packed->size() <= plain.size() + 64 + plain.size() / 1000);
    CHECK(gunzip(*packed, plain.size()) == plain);
    if (!plain.empty()) CHECK_FALSE(gunzip(*packed, plain.size() - 1));
  }
  CHECK(gzip(lines(5000))->size() < lines(5000).size() / 9);
}

TEST_CASE("gunzip: what is cut, longer or not gzip is nothing") {
  const std::string plain = lines(1000);
  const std::string packed = *gzip(plain);
  for (std::size_t cut = 1; cut < packed.size(); cut += 1 + cut / 8)
    CHECK_FALSE(gunzip(packed.substr(0, packed.size() - cut), 1 << 20));
  for (std::size_t more = 1; more < 12; ++more)
    CHECK_FALSE(gunzip(packed + std::string(more, 'x'), 1 << 20));
  CHECK_FALSE(gunzip(packed + packed, 1 << 20));
  CHECK_FALSE(gunzip("", 1 << 20));
  CHECK_FALSE(gunzip("no gzip", 1 << 20));
}

TEST_CASE("gunzip: a flipped bit is found, or was in what the header says beside the text") {
  const std::string plain = lines(100);
  const std::string packed = *gzip(plain);
  std::size_t found = 0;
  for (std::size_t bit = 0; bit < 8 * packed.size(); ++bit) {
    std::string bad = packed;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const auto unpacked = gunzip(bad, 1 << 20);
    if (unpacked) CHECK(*unpacked == plain);
    found += !unpacked;
  }
  CHECK(found > 8 * packed.size() - 100);
}
