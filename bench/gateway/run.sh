#!/usr/bin/env bash
# Builds imwatch, Centrifugo (its public source; CENTRIFUGO=PROGRAM takes a built one, CENTRIFUGO=none leaves it out) and
# the bare server, measures them one after another, and prints a table. The lines go to OUT (default: a temporary file).
# Arguments go to the bench: bench/gateway/run.sh --only 'idle|echo'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bin=$(mktemp -d "${TMPDIR:-/tmp}/imwatch-bench.XXXXXX")
trap 'rm -rf "$bin"' EXIT
go build -trimpath -o "$bin/imwatch" ./cmd/imwatch
go build -trimpath -o "$bin/" ./bench/gateway ./bench/gateway/bare
centrifugo=${CENTRIFUGO:-}
if [ -z "$centrifugo" ]; then
  GOBIN=$bin GOFLAGS=-trimpath go install github.com/centrifugal/centrifugo/v6@latest
  centrifugo=$bin/centrifugo
fi
[ "$centrifugo" != none ] || centrifugo=
programs=(--imwatch "$bin/imwatch" --centrifugo "$centrifugo" --bare "$bin/bare")
out=${OUT:-$bin/results}
"$bin/gateway" "${programs[@]}" "$@" | tee -a "$out" >&2
taskset -c 1 "$bin/gateway" "${programs[@]}" --server-cpu 0 "$@" | tee -a "$out" >&2
"$bin/gateway" table "$out"
