#include "workload.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <numeric>
#include <span>
#include <utility>

namespace tally::bench {
namespace {

struct Spec {
  char letter;
  std::size_t packet_bytes;
  std::uint32_t series;
  std::size_t packets_min;  // of one cycle; more if the series need it
  std::size_t name_bytes_min, name_bytes_max;
  std::string_view kinds;  // series i is of kind i modulo their number: c, t(imer), g, s, h
  bool has_tags;
};

// Lengths of names give the metrics a packet that shared/design/performance.md states. The cycles
// are long enough that no branch predictor knows them by heart, and (but for D) fit a level-2
// cache.
constexpr std::array specs{
    Spec{'A', 32, 1'000, 16'384, 25, 28, "c", false},
    Spec{'B', 1432, 1'000, 1'024, 20, 35, "c", false},
    Spec{'C', 1432, 10'000, 1'024, 22, 38, "ctgsh", false},
    Spec{'D', 1432, 1'000'000, 1, 32, 32, "c", false},
    Spec{'E', 1432, 1'000, 1'024, 19, 26, "c", true},
    Spec{'F', 1432, 100'000, 1, 32, 32, "c", false},
};

// SplitMix64 (Steele, Lea, Flood 2014): the standard's distributions differ between libraries.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

template <std::size_t size>
std::string_view one_of(const std::array<std::string_view, size>& words, Random& random) {
  return words[random.below(size)];
}

constexpr std::array<std::string_view, 16> words{
    "api",   "billing", "cache",   "checkout", "db",      "frontend", "http",    "latency",
    "login", "orders",  "payment", "queue",    "request", "search",   "session", "worker"};
constexpr std::array<std::string_view, 3> environments{"prod", "test", "stage"};
constexpr std::array<std::string_view, 3> regions{"eu-west-1", "us-east-1", "ap-south-1"};

// What a line of one series consists of; its value stands between head and tail.
struct Series {
  std::string head;  // "name:"
  std::string tail;  // "|c|#tags"
  char kind = 'c';
};

// "billing.queue.la.0000042": differs from the others in its beginning, as names do, and for sure
// in its end.
std::string make_name(std::uint32_t index, std::size_t bytes, Random& random) {
  constexpr std::size_t digits = 7;
  std::string name;
  while (name.size() < bytes - digits - 1) name.append(one_of(words, random)) += '.';
  name.resize(bytes - digits - 1);
  name += '.';
  const std::string number = std::to_string(index);
  return name.append(digits - number.size(), '0') + number;
}

std::string make_tags(Random& random) {
  return std::string("|#env:")
      .append(one_of(environments, random))
      .append(",region:")
      .append(one_of(regions, random));
}

std::string_view type_of(char kind) {
  if (kind == 't') return "|ms";
  if (kind == 'g') return "|g";
  if (kind == 's') return "|s";
  return kind == 'h' ? "|h" : "|c";
}

std::vector<Series> make_series(const Spec& spec, Random& random) {
  std::vector<Series> all(spec.series);
  for (std::uint32_t i = 0; i < spec.series; ++i) {
    const std::size_t range = spec.name_bytes_max - spec.name_bytes_min + 1;
    Series& series = all[i];
    series.kind = spec.kinds[i % spec.kinds.size()];
    series.head = make_name(i, spec.name_bytes_min + random.below(range), random) + ':';
    series.tail = type_of(series.kind);
    if (spec.has_tags) series.tail += make_tags(random);
  }
  return all;
}

std::size_t value_bytes_min(char kind) {
  if (kind == 's') return 4;
  return kind == 't' || kind == 'h' ? 3 : 1;
}

void append_digits(std::size_t count, Random& random, std::string& out) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t lowest = i == 0 ? 1 : 0;
    out += static_cast<char>('0' + lowest + random.below(10 - lowest));
  }
}

// "123" for counters and gauges, "12.3" for timers and histograms, "u123" for sets.
void append_value(char kind, std::size_t bytes, Random& random, std::string& out) {
  if (kind == 's') {
    out += 'u';
    append_digits(bytes - 1, random, out);
  } else if (kind == 't' || kind == 'h') {
    append_digits(bytes - 2, random, out);
    out += '.';
    append_digits(1, random, out);
  } else {
    append_digits(bytes, random, out);
  }
}

std::size_t line_bytes_min(const Series& series) {
  return series.head.size() + value_bytes_min(series.kind) + series.tail.size();
}

// Series without end, in an order that differs from round to round.
class Deck {
 public:
  Deck(std::uint32_t series, Random& random) : random_(random), order_(series) {
    std::iota(order_.begin(), order_.end(), 0U);
    shuffle();
  }

  std::uint32_t top() const { return order_[at_]; }
  void draw() {
    if (++at_ == order_.size()) shuffle();
  }
  bool has_dealt_all() const { return rounds_ > 1; }

 private:
  void shuffle() {  // Fisher and Yates; std::shuffle differs between libraries
    for (std::size_t i = order_.size(); i > 1; --i) {
      std::swap(order_[i - 1], order_[random_.below(i)]);
    }
    at_ = 0;
    ++rounds_;
  }

  Random& random_;
  std::vector<std::uint32_t> order_;
  std::size_t at_ = 0;
  std::size_t rounds_ = 0;
};

class Packer {
 public:
  Packer(const Spec& spec, Random& random)
      : random_(random), series_(make_series(spec, random)), deck_(spec.series, random) {}

  bool has_dealt_all() const { return deck_.has_dealt_all(); }

  /// Appends a packet of exactly `packet_bytes`, and returns how many metrics it holds.
  std::size_t append_packet(std::size_t packet_bytes, std::string& out) {
    const std::size_t left = choose_lines(packet_bytes);
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const Series& series = series_[lines_[i]];
      const std::size_t more = left / lines_.size() + (i < left % lines_.size() ? 1 : 0);
      if (i > 0) out += '\n';
      out += series.head;
      append_value(series.kind, value_bytes_min(series.kind) + more, random_, out);
      out += series.tail;
    }
    return lines_.size();
  }

 private:
  // Fills `lines_` with shortest lines, and returns how many bytes they leave.
  std::size_t choose_lines(std::size_t left) {
    ++left;  // no line end behind the last
    lines_.clear();
    while (line_bytes_min(series_[deck_.top()]) + 1 <= left) {
      left -= line_bytes_min(series_[deck_.top()]) + 1;
      lines_.push_back(deck_.top());
      deck_.draw();
    }
    assert(!lines_.empty());
    return left;
  }

  Random& random_;
  std::vector<Series> series_;
  Deck deck_;
  std::vector<std::uint32_t> lines_;
};

// Of one line, "name:123|c": 0 if it is no counter.
std::uint64_t counter_value(std::string_view line) {
  const std::size_t begin = line.find(':') + 1;
  const std::size_t end = line.find('|', begin);
  const std::string_view type = line.substr(end + 1);
  std::uint64_t value = 0;
  if (type == "c" || type.starts_with("c|"))
    std::from_chars(line.data() + begin, line.data() + end, value);
  return value;
}

std::uint64_t counter_total_of_bytes(const Workload& workload, std::size_t packets) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < packets; ++i) {
    std::string_view left = workload.packet(i);
    while (!left.empty()) {
      const std::string_view line = left.substr(0, left.find('\n'));
      total += counter_value(line);
      left.remove_prefix(std::min(line.size() + 1, left.size()));
    }
  }
  return total;
}

}  // namespace

std::uint64_t counter_total(const Workload& workload, std::uint64_t packets) {
  const std::uint64_t cycles = packets / workload.packets();
  const auto rest = static_cast<std::size_t>(packets % workload.packets());
  const std::uint64_t of_cycle =
      cycles == 0 ? 0 : counter_total_of_bytes(workload, workload.packets());
  return cycles * of_cycle + counter_total_of_bytes(workload, rest);
}

std::optional<Workload> make_workload(char letter, std::string_view kinds) {
  const auto found = std::ranges::find(specs, letter, &Spec::letter);
  if (found == specs.end()) return std::nullopt;
  Spec spec = *found;
  if (!kinds.empty()) spec.kinds = kinds;
  Random random(static_cast<std::uint64_t>(letter));
  Packer packer(spec, random);
  Workload workload{.letter = letter,
                    .packet_bytes = spec.packet_bytes,
                    .series = spec.series,
                    .bytes = {},
                    .metrics_before = {0}};
  while (workload.packets() < spec.packets_min || !packer.has_dealt_all()) {
    const std::size_t metrics = packer.append_packet(spec.packet_bytes, workload.bytes);
    workload.metrics_before.push_back(workload.metrics() + metrics);
  }
  constexpr std::size_t padding_bytes = 64;  // tally/scan.hpp: readable behind the last packet
  workload.bytes.reserve(workload.bytes.size() + padding_bytes);
  return workload;
}

}  // namespace tally::bench
