#!/usr/bin/env bash
# Proves the layer table of the README: which folder may include what, and that the pure core reads no
# clock, does no I/O, logs nothing and locks nothing.
#
#     scripts/check_layers.sh [ROOT]      every offender as file:line: what; status 1 if there is one
#     scripts/check_layers.sh --self-test plants offenders in an empty tree and wants them found
set -euo pipefail

# One row a layer, first match wins: files (a regular expression on the path), then what they may
# include. Quoted names without a folder are the file's own folder.
std='<[a-z_0-9]+>|<experimental/simd>'
contracts='"tally/[a-z_]+\.hpp"'
own='"[a-z_]+\.hpp"'
posix='<((arpa|net|netinet|sys|linux)/[a-z_]+|dirent|errno|fcntl|grp|netdb|poll|pthread|pwd|sched|signal|unistd)\.h>'
pure="$std|$contracts|$own|<fmt/[a-z]+\.h>"
shell="$pure|$posix|\"posix/[a-z_]+\.hpp\"|\"uv/[a-z_]+\.hpp\"|<spdlog/.*>"
# The pure part of deliver/.
deliver_core='(answer|api|base64|body|json|known_series|outbox|partial_writes|point_reader|refused_lines|replay_pace|retry_after|series_json|url|verdict|write_request|wrong_api)'
spool_core='(crc32c|format|survey)'
layers=(
  "include/tally/.*                 $std|$contracts"
  "src/base/gzip\..*                $pure|\"base/.*\"|<libdeflate\.h>"
  "src/base/.*                      $pure|\"base/.*\"|<arpa/inet\.h>"  # inet_pton: text to bytes
  "src/parse/.*                     $pure|\"parse/.*\"|<[a-z]+intrin\.h>"
  "src/aggregate/.*                 $pure|\"aggregate/.*\"|<xxhash\.h>|<[a-z]+intrin\.h>"
  "src/flush/.*                     $pure|\"flush/.*\""
  "src/encode/.*                    $pure|\"encode/.*\""
  "src/config/.*                    $pure|\"config/.*\"|<toml\+\+/toml\.h>|<arpa/inet\.h>"  # inet_pton: text to bytes
  "src/deliver/known_series\..*     $pure|\"deliver/$deliver_core\.hpp\"|<xxhash\.h>"
  "src/deliver/$deliver_core\..*   $pure|\"deliver/$deliver_core\.hpp\""
  "src/posix/.*                     $std|$posix|$own|<link\.h>"
  "src/spool/crc32c\..*             $pure|\"spool/$spool_core\.hpp\"|<[a-z]+intrin\.h>"
  "src/spool/$spool_core\..*       $pure|\"spool/$spool_core\.hpp\""
  "src/spool/.*                     $shell|\"spool/.*\"|\"base/gzip\.hpp\""
  "src/uv/.*                        $std|$own|\"uv/.*\"|<uv\.h>"
  "src/receive/.*                   $shell|\"receive/.*\""
  "src/deliver/http\..*             $shell|\"deliver/.*\"|<curl/curl\.h>"
  "src/deliver/.*                   $shell|\"deliver/.*\"|\"spool/.*\"|\"base/gzip\.hpp\""
  "src/watch/.*server\..*           $shell|\"watch/.*\"|<microhttpd\.h>"
  "src/watch/.*                     $shell|\"watch/.*\""
  "src/demo/http_server\..*         $shell|\"demo/.*\"|<microhttpd\.h>"
  "src/demo/main\.cpp               $shell|\"demo/.*\"|<cxxopts\.hpp>"
  "src/demo/.*                      $shell|\"demo/.*\"|<spawn\.h>"
  "src/(main\.cpp|daemon/.*)        .*"
)

# The pure core: nothing of the world. "::now(" is any clock of std::chrono.
pure_files="^(include/tally|src/(base|parse|aggregate|flush|encode|config)/|src/deliver/$deliver_core\\.|src/spool/$spool_core\\.)"
world_headers='<(atomic|condition_variable|filesystem|fstream|future|iostream|mutex|semaphore|shared_mutex|thread)>'
world_calls='::now\(|uv_hrtime|uv_now|std::time\(|[^_a-z:]time\((NULL|nullptr|0|&)|clock_gettime|gettimeofday|random_device'
world_calls+='|spdlog|std::(cout|cerr|clog)|[^a-z_]f?printf\(|getenv'

may_include() {  # PATH: the pattern of what it may include; status 1 for a path in no layer
  local layer files allowed
  for layer in "${layers[@]}"; do
    read -r files allowed <<<"$layer"
    if [[ $1 =~ ^$files$ ]]; then
      printf '%s' "$allowed"
      return
    fi
  done
  return 1
}

code_lines() {  # FILE: "number:text" without comments, so that prose may name what code may not
  sed -E 's,//.*$,,' "$1" | grep -nE '[^[:space:]]' || true
}

check_file() {  # PATH: prints offenders
  local path=$1 allowed code
  code=$(code_lines "$path")
  if ! allowed=$(may_include "$path"); then
    echo "$path:1: is in no layer; add a row to scripts/check_layers.sh and to the README"
    return
  fi
  grep -E '^[0-9]+:[[:space:]]*#[[:space:]]*include' <<<"$code" |
    sed -E 's/^([0-9]+):[^"<]*(.*[">]).*$/\1 \2/' | while read -r line name; do
      [[ $name =~ ^($allowed)$ ]] || echo "$path:$line: $name is not for this layer"
    done || true
  if [[ $path =~ $pure_files ]]; then
    grep -E "$world_headers|$world_calls" <<<"$code" | while IFS=: read -r line text; do
      echo "$path:$line: the pure core has no clock, thread, file or log:${text}"
    done || true
  fi
}

check_tree() {  # ROOT: prints offenders, status 1 if there are any
  local path offenders
  cd "$1"
  offenders=$(find include src -type f \( -name '*.hpp' -o -name '*.cpp' \) | LC_ALL=C sort |
    while read -r path; do check_file "$path"; done)
  [[ -z $offenders ]] && return 0
  printf '%s\n' "$offenders"
  return 1
}

# Each row: where, the planted text, and "bad" or "good".
self_test() {
  local failures=0 path text verdict found status tree
  tree=$(mktemp -d)
  # shellcheck disable=SC2064  # now: the variable is local
  trap "rm -rf '$tree'" EXIT
  while IFS='~' read -r path text verdict; do
    rm -rf "$tree/include" "$tree/src"
    mkdir -p "$tree/include/tally" "$tree/src" "$tree/$(dirname "$path")"
    printf '#pragma once\n%s\n' "$text" >"$tree/$path"
    status=0
    found=$(check_tree "$tree") || status=1
    if [[ $verdict == good && $status != 0 ]] ||
      [[ $verdict == bad && $found != "$path:2: "* && $found != "$path:1: is in no layer"* ]]; then
      echo "self-test: $path with '$text' should be $verdict; found: ${found:-nothing}"
      failures=$((failures + 1))
    fi
  done <<'ROWS'
include/tally/a.hpp~#include <vector>~good
include/tally/a.hpp~#include "tally/b.hpp"~good
include/tally/a.hpp~#include <fmt/format.h>~bad
include/tally/a.hpp~#include <sys/socket.h>~bad
include/tally/a.hpp~#include "parse/number.hpp"~bad
include/tally/a.hpp~#include <mutex>~bad
src/parse/a.cpp~#include "tally/parse.hpp"~good
src/parse/a.cpp~#include "number.hpp"~good
src/parse/a.cpp~#  include <uv.h>~bad
src/parse/a.cpp~#include <spdlog/spdlog.h>~bad
src/parse/a.cpp~#include <xxhash.h>~bad
src/parse/a.cpp~#include "aggregate/table.hpp"~bad
src/parse/a.cpp~#include <fstream>~bad
src/aggregate/a.cpp~#include <xxhash.h>~good
src/aggregate/a.cpp~#include <toml++/toml.h>~bad
src/config/a.cpp~#include <toml++/toml.h>~good
src/flush/a.cpp~auto t = std::chrono::steady_clock::now();~bad
src/flush/a.cpp~auto t = uv_hrtime();~bad
src/flush/a.cpp~auto t = std::time(nullptr);~bad
src/flush/a.cpp~// not steady_clock::now(): the caller has the time~good
src/flush/a.cpp~int settle_time(int);~good
src/encode/a.cpp~std::cerr << "oops";~bad
src/encode/a.cpp~const char* home = std::getenv("HOME");~bad
src/deliver/outbox.cpp~#include "uv/handles.hpp"~bad
src/deliver/verdict.cpp~#include <curl/curl.h>~bad
src/deliver/http.cpp~#include <curl/curl.h>~good
src/deliver/influx_writer.cpp~#include <curl/curl.h>~bad
src/deliver/influx_writer.cpp~#include "spool/backlog.hpp"~good
src/base/gzip.cpp~#include <libdeflate.h>~good
src/base/text.cpp~#include <libdeflate.h>~bad
src/spool/spool.cpp~#include "posix/descriptor.hpp"~good
src/spool/spool.cpp~#include "deliver/http.hpp"~bad
src/spool/format.cpp~#include <unistd.h>~bad
src/spool/format.cpp~#include "spool/spool.hpp"~bad
src/posix/descriptor.hpp~#include <unistd.h>~good
src/posix/descriptor.hpp~#include "uv/handles.hpp"~bad
src/receive/worker.cpp~#include "daemon/daemon.hpp"~bad
src/receive/worker.cpp~#include "uv/mailbox.hpp"~good
src/receive/worker.cpp~#include <uv.h>~bad
src/receive/worker.cpp~#include "deliver/http.hpp"~bad
src/uv/handles.cpp~#include <uv.h>~good
src/uv/handles.cpp~#include "tally/time.hpp"~bad
src/demo/http_server.hpp~#include <microhttpd.h>~good
src/demo/demo.cpp~#include <microhttpd.h>~bad
src/daemon/daemon.cpp~#include <uv.h>~good
src/newcomer/a.cpp~#include <vector>~bad
ROWS
  return $((failures > 0))
}

case "${1:-}" in
  --self-test) self_test ;;
  *) check_tree "${1:-$(dirname "${BASH_SOURCE[0]}")/..}" ;;
esac
