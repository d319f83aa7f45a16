#!/usr/bin/env bash
# Proves what the page in src/watch/page promises: foreign text stays text, nothing that its
# Content-Security-Policy forbids, nothing from another host, urls relative to the page.
#
#     scripts/check_page.sh [ROOT]      every offender as file:line: what; status 1 if there is one
#     scripts/check_page.sh --self-test plants offenders and wants them found
set -euo pipefail

# Files (a glob), what must not stand in them (an extended regular expression), why.
rules=(
  '*.js~innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc~text would become markup'
  '*.js~[^a-zA-Z]eval\(|new Function|set(Timeout|Interval)\(["'\''`]~text would become code'
  '*.js~["'\'']style["'\'']|[{, ]style:|cssText~the policy forbids style attributes; set one property'
  '*.js~(fetch|getJson|events|ask)\(["'\''`]/~a path prefix would be lost; urls are relative'
  '*.html~ style=|<style|<base|javascript:| on[a-z]+=~the policy forbids what stands inline'
  '*.html~<script>|<script [^>]*>[^<]~the policy forbids what stands inline'
  '*.html~(src|href)="/~a path prefix would be lost; urls are relative'
  '*~(https?:|["'\''(])//[a-z]~the page works offline'
)
allowed='http://www\.w3\.org/2000/svg'  # a name, not a place

find_offenders() {  # FILES PATTERN WHY, in the folder of the page
  local file
  # shellcheck disable=SC2086  # a glob
  for file in $1; do
    sed "s,$allowed,,; s,^ *// .*,," "$file" | grep -nE "$2" |
      while IFS=: read -r line _; do echo "src/watch/page/$file:$line: $3"; done || true
  done
}

check_tree() {  # ROOT: prints offenders, status 1 if there are any
  local rule files pattern why offenders
  cd "$1/src/watch/page"
  offenders=$(for rule in "${rules[@]}"; do
    IFS='~' read -r files pattern why <<<"$rule"
    find_offenders "$files" "$pattern" "$why"
  done)
  [[ -z $offenders ]] && return 0
  printf '%s\n' "$offenders"
  return 1
}

# Each row: file, the planted text, and "bad" or "good".
self_test() {
  local failures=0 file text verdict found status tree
  tree=$(mktemp -d)
  # shellcheck disable=SC2064  # now: the variable is local
  trap "rm -rf '$tree'" EXIT
  mkdir -p "$tree/src/watch/page"
  while IFS='~' read -r file text verdict; do
    printf 'export const fine = 1;\n' >"$tree/src/watch/page/a.js"
    printf '<p>fine</p>\n' >"$tree/src/watch/page/a.html"
    printf '\n%s\n' "$text" >"$tree/src/watch/page/$file"
    status=0
    found=$(check_tree "$tree") || status=1
    if [[ $verdict == good && $status != 0 ]] ||
      [[ $verdict == bad && $found != "src/watch/page/$file:2: "* ]]; then
      echo "self-test: $file with '$text' should be $verdict; found: ${found:-nothing}"
      failures=$((failures + 1))
    fi
  done <<'ROWS'
a.js~node.innerHTML = name;~bad
a.js~node.outerHTML = name;~bad
a.js~node.insertAdjacentHTML("beforeend", name);~bad
a.js~document.write(name);~bad
a.js~setTimeout("run()", 5);~bad
a.js~setTimeout(() => run(), 5);~good
a.js~node.setAttribute("style", "color: red");~bad
a.js~el("p", { style: "color: red" });~bad
a.js~node.style.width = "3px";~good
a.js~fetch("/api/v1/ledger");~bad
a.js~fetch("api/v1/ledger");~good
a.js~import "https://example.org/chart.js";~bad
a.js~document.createElementNS("http://www.w3.org/2000/svg", name);~good
a.js~// no innerHTML: names are text~good
a.html~<p style="color: red">~bad
a.html~<p onclick="run()">~bad
a.html~<script>run()</script>~bad
a.html~<script src="page.js"></script>~good
a.html~<script src="/page.js"></script>~bad
a.html~<link href="//example.org/a.css">~bad
ROWS
  return $((failures > 0))
}

case "${1:-}" in
  --self-test) self_test ;;
  *) check_tree "${1:-$(dirname "${BASH_SOURCE[0]}")/..}" ;;
esac
