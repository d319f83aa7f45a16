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
sockets='"receive/(acceptor|listeners|socket_address|stream_socket)\.hpp"'  # for who else listens
# The pure part of deliver/.
deliver_core='(answer|api|base64|body|json|known_series|outbox|partial_writes|point_reader|refused_lines|replay_pace|retry_after|series_json|url|verdict|write_request|wrong_api)'
spool_core='(crc32c|format|survey)'
# Of http/: all but what serves.
http_core='(access|limits|message|representation|stream_buffer)'
# The pure part of watch/.
watch_state='(application_metrics|history|prometheus|rankings|records?|self_metrics)'
# And of what is said of it; Insight is only a header.
watch_documents='(assets|health|history_documents|json_writer|live_documents|pcap|pulse|queries|tap_lines|window_event)'
# And of tools/.
tools_core='(columns|dashboard|dashboard_query|event_stream|json_view|packet|pcap|replay_report|statsd_line|tap_text|target|top_data|top_state|top_view)'
layers=(
  "include/tally/.*                 $std|$contracts"
  "src/base/gzip\..*                $pure|\"base/.*\"|<isa-l/igzip_lib\.h>"
  "src/base/simd\..*                <[a-z]+intrin\.h>"
  "src/base/.*                      $pure|\"base/.*\"|<arpa/inet\.h>"  # inet_pton: text to bytes
  "src/parse/.*                     $pure|\"parse/.*\"|\"base/simd\.hpp\""
  "src/aggregate/.*                 $pure|\"aggregate/.*\"|<xxhash\.h>|\"base/simd\.hpp\""
  "src/flush/.*                     $pure|\"flush/.*\""
  "src/encode/.*                    $pure|\"encode/.*\""
  "src/config/.*                    $pure|\"config/.*\"|<toml\+\+/toml\.h>|<arpa/inet\.h>"  # inet_pton: text to bytes
  "src/deliver/known_series\..*     $pure|\"deliver/$deliver_core\.hpp\"|<xxhash\.h>"
  "src/deliver/$deliver_core\..*   $pure|\"deliver/$deliver_core\.hpp\""
  "src/posix/.*                     $std|$posix|$own|<(link|malloc)\.h>"
  "src/spool/crc32c\..*             $pure|\"spool/$spool_core\.hpp\"|\"base/simd\.hpp\""
  "src/spool/$spool_core\..*       $pure|\"spool/$spool_core\.hpp\""
  "src/spool/.*                     $shell|\"spool/.*\"|\"base/gzip\.hpp\""
  "src/uv/.*                        $std|$own|\"uv/.*\"|<uv\.h>"
  "src/receive/.*                   $shell|\"receive/.*\""
  "src/deliver/http\..*             $shell|\"deliver/.*\"|<curl/curl\.h>"
  "src/deliver/.*                   $shell|\"deliver/.*\"|\"spool/.*\"|\"base/gzip\.hpp\""
  "src/watch/admin_text\..*        $pure|\"watch/(admin_text|insight)\.hpp\""
  "src/watch/admin\..*             $shell|\"watch/.*\"|\"receive/(acceptor|hello|listeners|stream_socket)\.hpp\""
  "src/http/server\..*              $shell|\"http/.*\"|$sockets|<microhttpd\.h>"
  "src/http/representation\..*      $pure|\"http/(message|representation)\.hpp\"|\"base/gzip\.hpp\"|<xxhash\.h>"
  "src/http/$http_core\..*      $pure|\"http/$http_core\.hpp\""
  "src/http/.*                      $shell|\"http/.*\"|$sockets"
  "src/watch/$watch_state\..*      $pure|\"watch/$watch_state\.hpp\"|\"aggregate/(buckets|cells|name_hash)\.hpp\"|<xxhash\.h>"
  "src/watch/$watch_documents\..*      $pure|\"watch/(insight|$watch_state|$watch_documents)\.hpp\"|\"http/$http_core\.hpp\""
  "src/watch/.*                     $shell|\"watch/.*\"|\"http/.*\"|$sockets"
  "src/cli/options\..*              $pure|\"cli/.*\"|<cxxopts\.hpp>"
  "src/cli/.*                       $pure|\"cli/.*\""
  "src/tools/$tools_core\..*        $pure|\"(cli|config|encode)/.*\"|\"deliver/$deliver_core\.hpp\"|\"tools/$tools_core\.hpp\""
  "src/tools/terminal\..*           $shell|\"tools/.*\"|<termios\.h>"
  "src/tools/timed_command\..*      $shell|\"tools/.*\"|<spawn\.h>"
  "src/tools/web\..*                $shell|\"(cli|tools)/.*\"|\"deliver/.*\"|\"daemon/sources\.hpp\""
  "src/tools/.*                     $shell|\"(cli|config|tools)/.*\"|\"deliver/$deliver_core\.hpp\""
  "src/demo/main\.cpp               $shell|\"demo/.*\"|<cxxopts\.hpp>"
  "src/demo/.*                      $shell|\"demo/.*\"|\"http/.*\"|$sockets|<spawn\.h>"
  "src/(main\.cpp|daemon/.*)        .*"
)

# The pure core: nothing of the world. "::now(" is any clock of std::chrono.
pure_files="^(include/tally|src/(base|parse|aggregate|flush|encode|config|cli)/|src/deliver/$deliver_core\\.|src/spool/$spool_core\\.|src/http/$http_core\\.|src/watch/admin_text\\.|src/watch/$watch_state\\.|src/watch/$watch_documents\\.|src/tools/$tools_core\\.)"
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
src/base/gzip.cpp~#include <isa-l/igzip_lib.h>~good
src/base/text.cpp~#include <isa-l/igzip_lib.h>~bad
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
src/watch/admin_text.cpp~#include "watch/insight.hpp"~good
src/watch/admin_text.cpp~#include "uv/handles.hpp"~bad
src/watch/admin_text.cpp~auto t = std::chrono::steady_clock::now();~bad
src/watch/admin.cpp~#include "receive/acceptor.hpp"~good
src/watch/admin.cpp~#include "receive/worker.hpp"~bad
src/http/server.hpp~#include <microhttpd.h>~good
src/http/server.hpp~#include "receive/acceptor.hpp"~good
src/http/server.cpp~#include "receive/worker.hpp"~bad
src/http/message.cpp~#include <microhttpd.h>~bad
src/http/access.cpp~#include "uv/handles.hpp"~bad
src/http/access.cpp~#include "base/gzip.hpp"~bad
src/http/representation.cpp~#include "base/gzip.hpp"~good
src/watch/watch.cpp~#include "http/server.hpp"~good
src/watch/health.cpp~#include "watch/insight.hpp"~good
src/watch/health.cpp~#include "http/server.hpp"~bad
src/watch/health.cpp~auto now = std::chrono::steady_clock::now();~bad
src/watch/watch.cpp~#include "daemon/daemon.hpp"~bad
src/cli/options.cpp~#include <cxxopts.hpp>~good
src/cli/verbs.cpp~#include <cxxopts.hpp>~bad
src/cli/arguments.cpp~#include "tally/config.hpp"~good
src/tools/target.cpp~#include <sys/socket.h>~bad
src/tools/target.cpp~#include "tools/send.hpp"~bad
src/tools/send.cpp~#include "tools/target.hpp"~good
src/tools/send.cpp~#include "daemon/daemon.hpp"~bad
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
