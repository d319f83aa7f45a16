// doctest's main for tests that need a real influxd: without one they are skipped, not passed.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "influxd.hpp"

int main(int argc, char** argv) {
  constexpr int meson_skip = 77;
  if (!tally::testing::Influxd::is_installed()) {
    std::puts("skipped: there is no /usr/bin/influxd; install Debian's package influxdb");
    return meson_skip;
  }
  return doctest::Context(argc, argv).run();
}
