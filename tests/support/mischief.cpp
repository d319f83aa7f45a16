#include "mischief.hpp"

#include <string_view>
#include <utility>

namespace tally::testing {
namespace {

using Texts = std::vector<std::string>;

const Texts marks = {":", "|", "@", "#", ",", "=", "\n", "\\", "\"", " ", "|T", "|c:", "-", "e"};

const Texts bad_utf8 = {"\xff",     "\xc3",         "\xc0\xaf",         "\xed\xa0\x80",
                        "\xe2\x80", "\xf0\x9f\xa5", "\xf4\x90\x80\x80", "\x80\x80"};

// Each N becomes a number.
const Texts injections = {
    "a,b=c value=1 123\nx:1|c",
    "injN value=99 1\ninjN:1|c",
    "injN value=99i:1|c",
    "injN,evil=1 value=2 3:1|c",
    "injN\\,evil=1:1|c|#k\\:v value=1",
    "injN:1|c|#k=v\\,x:y\\ evil=1",
    "injN:1|c|#k:v\r\nownedN value=1",
    "injN:1|g|#k:\"\\\"\" evil=\"",
    "injN\\:1|ms|#k:v\\",
    "injN:\"evil\\\" value=1|s",
    "#injN:1|c\n# injN:1|c",
    "injN:1|c|#host:evil,time:1,_name:x,_measurement:y",
    "injN\xe2\x80\xa8value=1:1|c",
    "tallyd.lines:N|c",
    "_e{8,9}:a\"b\",y=1|x\",evil=1|#k:v,evil value=1",
    "_sc|injN,evil=1 value=1|0|#k:v|m:\",evil=\"1",
    "\"; DROP DATABASE metric; --N:1|c",
};

// `text`, and then `with` until a datagram is full.
std::string filled(std::string text, std::string_view with) {
  while (text.size() < datagram_bytes_max) text += with;
  return text.substr(0, datagram_bytes_max);
}

// A line with 1,000 tags, as each dialect writes them.
Texts tagged() {
  struct Form {
    const char *head, *before_number, *behind_number, *tail;
  };
  constexpr Form forms[] = {
      {"tags:1|c|#k:v", ",k", ":v", ""}, {"tags,k=v", ",k", "=v", ":1|c"},
      {"tags;k=v", ";k", "=v", ":1|c"},  {"tags#k=v", ",k", "=v", ":1|c"},
      {"tags[k=v", ",k", "=v", "]:1|c"},
  };
  Texts texts;
  for (const Form& form : forms) {
    std::string text = form.head;
    for (int i = 1; i < 1000; ++i)
      text += form.before_number + std::to_string(i) + form.behind_number;
    texts.push_back(text + form.tail);
  }
  return texts;
}

Texts long_names() {
  Texts texts;
  for (const char* unit : {"n", "n.", "caf\xc3\xa9", "a,b=c", "\\", "a b", "a[b", "\t", "#", "_"}) {
    std::string name;
    while (name.size() < 60'000) name += unit;
    for (const char* tail : {":1|c", ":1|g|#k:v", ":1|ms"}) texts.push_back(name + tail);
  }
  return texts;
}

}  // namespace

Mischief::Mischief(std::vector<std::string> seeds, std::size_t count)
    : seeds_(std::move(seeds)), count_(count) {}

std::vector<HostileClass> Mischief::classes() {
  return {
      {"65,507 bytes", largest()},
      {"random bytes", many([this] { return bytes(1 + any(500)); })},
      {"mutated vectors", many([this] { return mutated(); })},
      {"1,000 tags", tagged()},
      {"names of 60 KB", long_names()},
      {"invalid UTF-8", many([this] { return spoilt(pick(bad_utf8)); })},
      {"NUL", many([this] { return spoilt(std::string(1 + any(3), '\0')); })},
      {"injection", many([this] { return injection(); })},
  };
}

template <class Make>
Texts Mischief::many(Make make) {
  Texts texts;
  for (std::size_t i = 0; i < count_; ++i) texts.push_back(make());
  return texts;
}

std::string Mischief::bytes(std::size_t size) {
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random_());
  return text;
}

Mischief::Texts Mischief::largest() {
  return {bytes(datagram_bytes_max),
          filled("", "x"),
          filled("", ":"),
          filled("", "|"),
          filled("", "\n"),
          filled("", "big.lines:1|c\n"),
          filled("big.list:1", ":1"),
          filled("big.member:", "m"),
          filled("big.tags:1|c|#", "k,"),
          filled("big.etsy:1|c", ":1|c"),
          filled("big,", "k=v,"),
          filled("big.fields:1|c", "|x1"),
          filled("_e{60000,5000}:", "e"),
          filled("big.digits:0.", "1"),
          filled("big.rate:1|c|@0.", "0"),
          filled("", std::string(1, '\0'))};
}

std::string Mischief::mutated() {
  std::string text = pick(seeds_);
  for (std::size_t i = 1 + any(4); i > 0; --i) mutate(text);
  return text;
}

void Mischief::mutate(std::string& text) {
  const std::size_t at = any(text.size() + 1);
  const std::string part = text.substr(at, any(20));
  switch (any(5)) {
    case 0:
      text.insert(at, 1, static_cast<char>(random_()));
      break;
    case 1:
      text.insert(at, pick(marks));
      break;
    case 2:
      text.erase(at, 1 + any(3));
      break;
    case 3:
      text.insert(any(text.size() + 1), part);
      break;
    default:
      text.resize(at);
  }
}

// A good line of a few dozen series with something put into it, anywhere.
std::string Mischief::spoilt(const std::string& with) {
  std::string line = "spoilt" + std::to_string(any(40)) + ":1|c|#k:v";
  return line.insert(any(line.size() + 1), with);
}

std::string Mischief::injection() {
  std::string text = pick(injections);
  for (std::size_t at = text.find('N'); at != std::string::npos; at = text.find('N'))
    text.replace(at, 1, std::to_string(any(50)));
  return text;
}

}  // namespace tally::testing
