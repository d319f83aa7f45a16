#!/usr/bin/env bash
# Lays out every C++ file as .clang-format says; with --check only names those that are not, status 1.
set -euo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
case "${1:-}" in
  "") options=(-i) ;;
  --check) options=(--dry-run -Werror) ;;
  *) echo "usage: scripts/format.sh [--check]" >&2 && exit 2 ;;
esac
find include src tests \( -name '*.hpp' -o -name '*.cpp' \) -print0 | xargs -0 clang-format-14 "${options[@]}"
