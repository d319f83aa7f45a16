#include "watch/assets.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/gzip.hpp"

using namespace tally;

namespace {

const Asset* find(std::string_view path) {
  const auto found = std::ranges::find(page_assets(), path, &Asset::path);
  return found == page_assets().end() ? nullptr : &*found;
}

std::string unpacked(const Asset& asset) {
  const auto plain = gunzip(asset.gzipped, 1 << 20);
  CHECK_MESSAGE(plain, asset.path);
  return plain.value_or("");
}

/// The files beside it that `text` names by src, href or import.
std::vector<std::string> named_files(const std::string& text) {
  static const std::regex names(R"re((?:src=|href=|from )"(?:\./)?([\w.-]+)")re");
  std::vector<std::string> files;
  for (std::sregex_iterator at(text.begin(), text.end(), names), end; at != end; ++at) {
    files.push_back("/" + (*at)[1].str());
  }
  return files;
}

}  // namespace

TEST_CASE("page: its files are sorted, unpack, and are what they are called") {
  REQUIRE(find("/"));
  CHECK(find("/")->content_type == "text/html; charset=utf-8");
  CHECK(unpacked(*find("/")).starts_with("<!doctype html>"));
  REQUIRE(find("/page.js"));
  CHECK(find("/page.js")->content_type == "text/javascript; charset=utf-8");
  REQUIRE(find("/page.css"));
  CHECK(find("/page.css")->content_type == "text/css; charset=utf-8");
  REQUIRE(find("/favicon.svg"));
  CHECK(find("/favicon.svg")->content_type == "image/svg+xml");
  CHECK(std::ranges::is_sorted(page_assets(), {}, &Asset::path));
  for (const Asset& asset : page_assets()) CHECK_FALSE(unpacked(asset).empty());
}

TEST_CASE("page: each file that it names is there, by a url relative to it") {
  std::size_t named = 0;
  for (const Asset& asset : page_assets()) {
    if (asset.path.starts_with("/dygraph")) continue;
    for (const std::string& file : named_files(unpacked(asset))) {
      CHECK_MESSAGE(find(file), asset.path << " names " << file);
      ++named;
    }
  }
  CHECK(named > 20);
}

TEST_CASE("page: all of it is under 150 KB as it is sent") {
  std::size_t bytes = 0;
  for (const Asset& asset : page_assets()) bytes += asset.gzipped.size();
  CHECK(bytes > 40'000);  // dygraphs alone is 37 KB
  CHECK(bytes < 150'000);
  MESSAGE("the page is " << bytes << " bytes");
}
