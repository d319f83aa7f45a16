#!/bin/sh
# Netcat, as shell scripts and cron jobs use it. VARIANT: udp, tcp, unix, unixgram.

variant=$1 address=$2
metrics() {
  printf 'm.hits:1|c\nm.bytes:5|c\nm.bytes:7|c\nm.stock:-3|c\nm.part:2.5|c\nm.größe:1|c\n'
  printf 'm.tagged:1|c|#env:prod,region:eu\nm.level:42|g\nm.ratio:.25|g\nm.depth:-7|g\n'
  printf 'm.queue:100|g\nm.queue:+5|g\nm.queue:-20|g\nm.login:320|ms\nm.query:10|ms\n'
  printf 'm.query:20|ms:60|ms\nm.fraction:1.5|ms\nm.users:ann|s\nm.users:bob|s\nm.users:ann|s\n'
  printf 'm.users:cat|s\nm.codes:200|s\nm.codes:404|s\nm.codes:200|s\nm.size:3:5:10|h\n'
  printf 'm.spread:1|d\nm.spread:9|d'
}
case $variant in
  udp) metrics | nc -u -q0 "${address%:*}" "${address#*:}" ;;
  tcp) metrics | nc -N "${address%:*}" "${address#*:}" ;;
  unix) metrics | nc -NU "$address" ;;
  unixgram) metrics | nc -uU -q0 "$address" ;;
esac
