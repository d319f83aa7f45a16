# shellcheck shell=bash
# What apt must have installed, and how it is got there. Sourced by run and test; the Dockerfile's first
# stage names build_packages too, and scripts/test proves that they agree.
#
# Installing starts no system service: Debian asks /usr/sbin/policy-rc.d before it starts one, and for the
# time of the installation ours says no. A policy that was there before is put back.

# shellcheck disable=SC2034  # read by those who source this
build_packages=(
  g++ meson ninja-build pkg-config
  libcurl4-openssl-dev libcxxopts-dev libfmt-dev libisal-dev libjs-dygraphs libmicrohttpd-dev
  libspdlog-dev libtomlplusplus-dev libuv1-dev libxxhash-dev
)
run_packages=(curl)
test_packages=(
  curl doctest-dev influxdb iproute2 openssl prometheus python3 tcpdump tmux valgrind victoria-metrics zlib1g-dev
)
clang_packages=(clang-14 libclang-rt-14-dev)  # a second compiler, and libFuzzer
peer_packages=(collectd-core netdata-core)  # daemons that scripts/bench --peers measures
client_packages=(  # real clients; one that cannot be had is skipped
  golang-gopkg-alexcesaro-statsd.v1-dev libnet-statsd-perl netcat-openbsd python3-aiodogstatsd
  python3-aiomeasures python3-statsd ruby-statsd
)
page_packages=(chromium)  # the page is tried in it, driven by node; skipped where it cannot be had

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

missing_packages() {  # PACKAGE...: those that are not installed, one a line
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# Status 1 and one line that says what is missing and what to do, when something stays missing.
install_packages() {  # ALLOWED(yes|no) WHY PACKAGE...
  local allowed=$1 why=$2 missing half_way
  shift 2
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "this is no Debian: cannot tell whether what is needed is there ($why): $*"
    return 1
  fi
  missing=$(missing_packages "$@" | xargs)
  [[ -n $missing ]] || return 0
  if [[ $allowed == no ]]; then
    say "missing ($why), and --no-install forbids to get it; as root: apt-get install $missing"
    return 1
  fi
  say "installing with apt ($why): $missing"
  # shellcheck disable=SC2086  # one word a package
  as_root bash "${BASH_SOURCE[0]}" $missing || true  # apt's status is also another package's
  missing=$(missing_packages "$@" | xargs)
  [[ -n $missing ]] || return 0
  say "apt could not install ($why): $missing; its own words stand above"
  half_way=$(dpkg --audit 2>/dev/null) || true
  if [[ -n $half_way ]]; then
    echo "$half_way" >&2
    say "an earlier installation was broken off, as said above; that may be why: dpkg --configure -a mends it"
  fi
  return 1
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    say "asking sudo: only root may install packages"
    sudo -- "$@"
  else
    say "only root may install packages and there is no sudo; run as root: apt-get install ${*:3}"
    return 1
  fi
}

# ------------------------------------------------------------------- from here on as root, by as_root

readonly policy=/usr/sbin/policy-rc.d
readonly policy_mark='# of tallyd scripts/packages.sh: no service is started while it installs'

# Also mends what a killed run has left behind.
restore_policy() {
  if grep -qsF "$policy_mark" "$policy"; then rm -f "$policy"; fi
  if [[ -e $policy.before-tallyd || -L $policy.before-tallyd ]]; then
    mv "$policy.before-tallyd" "$policy"
  fi
}

forbid_services() {
  restore_policy
  trap restore_policy EXIT
  trap 'exit 1' HUP INT TERM
  if [[ -e $policy || -L $policy ]]; then mv "$policy" "$policy.before-tallyd"; fi
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy"
  chmod 755 "$policy"
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null >&2
}

# Packages that also enable a service for the next start of the machine. Ours are private ones.
declare -rA service_of=([influxdb]=influxdb [victoria-metrics]=victoria-metrics [collectd-core]=collectd [netdata-core]=netdata
  [prometheus]=prometheus)

install_as_root() {
  local package new status=0
  new=$(missing_packages "${!service_of[@]}")
  forbid_services
  apt update || say "the package lists could not be renewed; trying with those that are there"
  apt install -y --no-install-recommends "$@" || status=$?
  for package in $new; do
    [[ -n $(missing_packages "$package") ]] || disable_service "${service_of[$package]}" >&2 || true
  done
  return $status
}

disable_service() {  # NAME
  if command -v systemctl; then
    systemctl --no-reload disable "$1.service"
  else
    update-rc.d "$1" disable
  fi
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -euo pipefail
  install_as_root "$@"
fi
