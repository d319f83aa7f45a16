#include "tools/json_view.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace tally {
namespace {

double to_number(const JsonValue& value) {
  double number = 0;
  const char* const end = value.text.data() + value.text.size();
  const auto [stopped, error] = std::from_chars(value.text.data(), end, number);
  const bool is_number = !value.is_string && error == std::errc() && stopped == end;
  return is_number ? number : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

JsonView JsonView::at(std::string_view member) const {
  const std::size_t skipped = prefix_ == 0 ? 0 : 1;  // the '.'
  const auto is_inside = [&](const JsonValue& value) {
    std::string_view rest = rest_of(value);
    if (rest.size() < skipped + member.size() || !rest.substr(skipped).starts_with(member))
      return false;
    rest.remove_prefix(skipped + member.size());
    return rest.empty() || rest.front() == '.' || rest.front() == '[';
  };
  const auto first = std::ranges::find_if(values_, is_inside);
  const auto last = std::find_if_not(first, values_.end(), is_inside);
  return {{first, last}, prefix_ + skipped + member.size()};
}

std::vector<JsonView> JsonView::items() const {
  std::vector<JsonView> found;
  auto first = values_.begin();
  while (first != values_.end()) {
    const std::string_view index = rest_of(*first).substr(0, rest_of(*first).find(']') + 1);
    if (!index.starts_with('[')) break;
    const auto last = std::find_if_not(first, values_.end(), [&](const JsonValue& value) {
      return rest_of(value).starts_with(index);
    });
    found.push_back({{first, last}, prefix_ + index.size()});
    first = last;
  }
  return found;
}

std::vector<std::pair<std::string_view, std::string_view>> JsonView::members() const {
  std::vector<std::pair<std::string_view, std::string_view>> found;
  for (const JsonValue& value : values_)
    if (rest_of(value).starts_with('.')) found.emplace_back(rest_of(value).substr(1), value.text);
  return found;
}

std::string_view JsonView::text(std::string_view member) const {
  const JsonView found = at(member);
  if (found.values_.empty() || !found.values_.front().is_string) return {};
  return found.values_.front().text;
}

double JsonView::number() const {
  return values_.size() == 1 ? to_number(values_.front())
                             : std::numeric_limits<double>::quiet_NaN();
}

double JsonView::number(std::string_view member) const {
  return at(member).number();
}

std::size_t JsonView::count(std::string_view member) const {
  constexpr double most = 9007199254740992.0;  // 2^53
  const double value = number(member);
  return value >= 0 && value <= most ? static_cast<std::size_t>(value) : 0;
}

bool JsonView::is_true(std::string_view member) const {
  const JsonView found = at(member);
  return found.values_.size() == 1 && !found.values_[0].is_string &&
         found.values_[0].text == "true";
}

}  // namespace tally
