#include "watch/records.hpp"

#include <doctest/doctest.h>
#include <malloc.h>

#include <string>
#include <vector>

using namespace tally;

namespace {

constexpr std::size_t enough = 64 << 20;

std::string key(std::size_t number) {
  return std::string(1, '\0') + "name." + std::to_string(number);
}

RecordedSeries* look_up(Records& records, const std::string& key) {
  const std::uint64_t hash = records.hash(key);
  return records.find(hash, key, records.candidate(hash));
}

void add(Records& records, const std::string& key, std::uint32_t window) {
  RecordedSeries* const series = records.add(records.hash(key), key);
  REQUIRE(series != nullptr);
  series->last = window;
}

}  // namespace

TEST_CASE("records: a block takes what its layout says, for every kind and size of key") {
  const bool tells = mallinfo2().uordblks != 0;  // a sanitizer's malloc does not
  for (const bool details : {false, true}) {
    const RecordLayout layout(5, details);
    for (std::size_t kind = 0; kind < value_kind_count; ++kind) {
      for (std::size_t size = 2; size < 200; ++size) {
        const std::string text =
            std::string(1, static_cast<char>(kind)) + std::string(size - 1, 'x');
        const RecordPointer record = layout.make(text);
        CHECK(record->key() == text);
        if (!tells) continue;
        // Sixteen more where what would be left is too small to be of use.
        const std::size_t more = malloc_usable_size(record.get()) + 8 - layout.bytes(text);
        CHECK((more == 0 || more == 16));
      }
    }
  }
}

TEST_CASE(
    "records: what was added is found until it is forgotten, whatever is added and forgotten") {
  Records records({5, false}, enough, 1);
  constexpr std::size_t series = 20'000;
  for (std::size_t i = 0; i < series; ++i)
    add(records, key(i), static_cast<std::uint32_t>(i / 100));
  for (std::uint32_t window = 0; window <= 200; window += 7) {
    records.forget_before(window);
    for (std::size_t i = 0; i < series; i += 11) {
      const bool is_known = i / 100 >= window;
      RecordedSeries* const found = look_up(records, key(i));
      CHECK((found != nullptr) == is_known);
      if (found != nullptr) CHECK(found->record->key() == key(i));
    }
  }
  records.forget_before(1000);
  CHECK(records.size() == 0);
  CHECK(records.bytes() == 0);
}

TEST_CASE("records: forgotten ones leave the index before they are more than a fifth of it") {
  Records records({5, false}, enough, 1);
  std::size_t next = 0;
  for (std::uint32_t window = 0; window < 500; ++window) {
    for (int i = 0; i < 40; ++i) add(records, key(next++), window);
    records.forget_before(window < 60 ? 0 : window - 59);
    CHECK(records.size() == std::min<std::size_t>(window + 1, 60) * 40);
    CHECK(4 * records.cells() <= 5 * records.size() + 4);
  }
}

TEST_CASE("records: bytes never exceed the limit, and what it is given is used") {
  for (std::size_t limit = 1000; limit < 4'000'000; limit = limit * 3 / 2) {
    CAPTURE(limit);
    Records records({5, false}, limit, 1);
    std::size_t added = 0, most = 0;
    for (; records.add(records.hash(key(added)), key(added)) != nullptr; ++added)
      most = std::max(most, records.bytes());
    CHECK(most <= limit);
    // Refused was a block, or a chunk of cells, or an index of twice the size.
    CHECK(2 * most + 40'000 > limit);
    CHECK(records.size() == added);
  }
}
