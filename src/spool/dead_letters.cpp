#include "spool/dead_letters.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

namespace tally {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t files_max = 16;

std::string directory_below(const std::string& spool) {
  return spool + "/dead";
}

/// No file of ours is larger by more than a line.
std::string read_file(const SpoolDirectory& directory, const std::string& name) {
  std::string text;
  const Result<Descriptor> file = directory.open_file(name, O_RDONLY);
  struct stat info {};
  if (!file || fstat(file.value().get(), &info) != 0) return text;
  read_range(file.value().get(), 0, static_cast<std::uint64_t>(info.st_size), text);
  return text;
}

std::string one_line(std::string text, bool keeps_tabs) {
  const auto is_control = [&](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && !(keeps_tabs && c == '\t')) || c == 0x7F;
  };
  std::ranges::replace_if(text, is_control, ' ');
  return text;
}

/// Reads `digits` digits at `text` and the separator behind them; takes them off.
std::optional<int> take_number(std::string_view& text, std::size_t digits, char separator) {
  if (text.size() <= digits || text[digits] != separator) return std::nullopt;
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (error != std::errc() || end != text.data() + digits || number < 0) return std::nullopt;
  text.remove_prefix(digits + 1);
  return number;
}

/// "2026-11-23T12:00:10.250Z"
std::optional<WallTime> parse_time(std::string_view text) {
  using namespace std::chrono;
  const auto y = take_number(text, 4, '-');
  const auto m = take_number(text, 2, '-');
  const auto d = take_number(text, 2, 'T');
  const auto hour = take_number(text, 2, ':');
  const auto minute = take_number(text, 2, ':');
  const auto second = take_number(text, 2, '.');
  const auto milli = take_number(text, 3, 'Z');
  if (!y || !m || !d || !hour || !minute || !second || !milli || !text.empty()) return std::nullopt;
  const year_month_day date{year(*y), month(static_cast<unsigned>(*m)),
                            day(static_cast<unsigned>(*d))};
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second) + milliseconds(*milli);
}

}  // namespace

std::string to_tsv(const DeadLetter& letter) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(letter.window);
  return fmt::format("{}\t{:%Y-%m-%dT%H:%M:%S}.{:03}Z\t{}\n", one_line(letter.reason, false),
                     seconds, (letter.window - seconds).count(), one_line(letter.line, true));
}

std::optional<DeadLetter> from_tsv(std::string_view line) {
  const std::size_t first = line.find('\t');
  const std::size_t second = first == std::string_view::npos ? first : line.find('\t', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto window = parse_time(line.substr(first + 1, second - first - 1));
  if (!window) return std::nullopt;
  return DeadLetter{.line = std::string(line.substr(second + 1)),
                    .reason = std::string(line.substr(0, first)),
                    .window = *window};
}

Result<std::unique_ptr<DeadLetters>> DeadLetters::open(const std::string& spool,
                                                       std::uint64_t bytes_max) {
  const std::string path = directory_below(spool);
  mkdir(path.c_str(), S_IRWXU);  // what fails is found when it is opened
  Result<SpoolDirectory> directory = SpoolDirectory::look(path);
  if (!directory) return directory.error();
  std::unique_ptr<DeadLetters> letters(new DeadLetters(std::move(directory).value(), bytes_max));
  if (Status failed = letters->find_files()) return *failed;
  return letters;
}

Status DeadLetters::find_files() {
  constexpr std::string_view prefix = "dead-";
  const Result<std::vector<std::string>> names = directory_.names(prefix, ".tsv");
  if (!names) return names.error();
  for (const std::string& name : names.value()) {
    const std::string text = read_file(directory_, name);
    const auto letters = static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
    files_.push_back({name, text.size(), letters});
    std::uint64_t number = 0;
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
    next_number_ = std::max(next_number_, number + 1);
    counts_.found += letters;
  }
  counts_.kept = counts_.found;
  while (bytes() > bytes_max_) drop_oldest();
  return {};
}

std::uint64_t DeadLetters::bytes() const {
  std::uint64_t sum = 0;
  for (const File& file : files_) sum += file.bytes;
  return sum;
}

Status DeadLetters::add(const DeadLetter& letter) {
  const std::string line = to_tsv(letter);
  if (writer_ && files_.back().bytes + line.size() > bytes_max_ / files_max) writer_.reset();
  while (!files_.empty() && bytes() + line.size() > bytes_max_) drop_oldest();
  if (!writer_) {
    if (Status failed = begin_file()) {
      ++counts_.failed;
      return failed;
    }
  }
  File& file = files_.back();
  if (const int code = write_all(writer_->get(), line, file.bytes); code != 0) {
    ++counts_.failed;
    // What of it was written is no whole line, and a file that failed is not written again.
    if (ftruncate(writer_->get(), static_cast<off_t>(file.bytes)) != 0) errno = 0;
    writer_.reset();
    return directory_.error(file.name, "cannot be written, a refused line is not kept", code);
  }
  file.bytes += line.size();
  ++file.letters;
  ++counts_.added;
  ++counts_.kept;
  return {};
}

Status DeadLetters::begin_file() {
  const std::string name = fmt::format("dead-{:016}.tsv", next_number_);
  Result<Descriptor> file = directory_.open_file(name, O_WRONLY | O_CREAT | O_EXCL);
  if (!file) return file.error();
  ++next_number_;
  writer_ = std::move(file).value();
  files_.push_back({name, 0, 0});
  return {};
}

void DeadLetters::drop_oldest() {
  if (files_.size() == 1) writer_.reset();
  directory_.remove(files_.front().name);
  counts_.kept -= files_.front().letters;
  counts_.dropped_full += files_.front().letters;
  files_.erase(files_.begin());
}

Result<std::vector<DeadLetter>> read_dead_letters(const std::string& spool) {
  std::vector<DeadLetter> letters;
  const std::string path = directory_below(spool);
  if (access(path.c_str(), F_OK) != 0) return letters;  // none was ever written
  const Result<SpoolDirectory> directory = SpoolDirectory::look(path);
  if (!directory) return directory.error();
  const Result<std::vector<std::string>> names = directory.value().names("dead-", ".tsv");
  if (!names) return names.error();
  for (const std::string& name : names.value()) {
    const std::string text = read_file(directory.value(), name);
    std::string_view rest = text;
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      if (std::optional<DeadLetter> letter = from_tsv(rest.substr(0, end)))
        letters.push_back(std::move(*letter));
      rest.remove_prefix(end + 1);
    }
  }
  return letters;
}

Status remove_dead_letters(const std::string& spool) {
  const Result<SpoolDirectory> directory = SpoolDirectory::look(directory_below(spool));
  if (!directory) return directory.error();
  const Result<std::vector<std::string>> names = directory.value().names("dead-", ".tsv");
  if (!names) return names.error();
  for (const std::string& name : names.value()) {
    if (const int code = directory.value().remove(name); code != 0)
      return directory.value().error(name, "cannot be removed", code);
  }
  return {};
}

}  // namespace tally
