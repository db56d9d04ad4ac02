#!/usr/bin/env bash
# Builds imwatch and the soak, and runs one of its tests: bench/gateway/soak/run.sh survive --for 10m
# Without a test: all of them, as they are meant to be run. Redis is Debian's redis-server.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
bin=$(mktemp -d "${TMPDIR:-/tmp}/imwatch-soak-bin.XXXXXX")
trap 'rm -rf "$bin"' EXIT
go build -trimpath -o "$bin/" ./cmd/imwatch ./bench/gateway/soak
if [ $# -gt 0 ]; then
  "$bin/soak" "$1" --imwatch "$bin/imwatch" "${@:2}"
  exit
fi
test/infra/redis/redis.sh install
"$bin/soak" restart --imwatch "$bin/imwatch"
"$bin/soak" restart --imwatch "$bin/imwatch" --sigkill
"$bin/soak" restart --imwatch "$bin/imwatch" --redis "" --sigkill
"$bin/soak" leaks --imwatch "$bin/imwatch" --messages 100000
"$bin/soak" deliver --imwatch "$bin/imwatch" --messages 1000000
"$bin/soak" survive --imwatch "$bin/imwatch" --for 10m
