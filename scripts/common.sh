# shellcheck shell=bash
# Build directories, for run and test. Sourced; `root` is the source tree.

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
# shellcheck source=scripts/packages.sh
source "$root/scripts/packages.sh"

# Sets up a build directory below build/ if it is not yet, if it was set up otherwise or elsewhere, or if
# a setup was broken off half-way.
configure() {  # DIRECTORY OPTION...
  local directory=$root/build/$1 recipe
  shift
  recipe="$root $(meson --version) ${CXX:-c++} $*"
  if [[ -f $directory/build.ninja && $(cat "$directory/recipe" 2>/dev/null) == "$recipe" ]]; then return; fi
  rm -rf "$directory"
  mkdir -p "$directory"
  if ! meson setup "$@" "$directory" "$root" >"$directory.log" 2>&1; then
    tail -n 15 "$directory.log" >&2
    say "meson could not set up $directory (all of it: $directory.log)"
    return 1
  fi
  echo "$recipe" >"$directory/recipe"
}

# Tools can be missing though dpkg calls their package installed.
require_tools() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || die "$tool is missing although its package is installed; reinstall it with apt"
  done
}
