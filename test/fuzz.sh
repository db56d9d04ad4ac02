#!/usr/bin/env bash
# Runs every fuzz target of the module for a few seconds: FUZZTIME (default 5s) each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
go list -f '{{.Dir}}' ./... | while read -r dir; do
  { grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go 2>/dev/null || true; } | awk '{print $2}' | while read -r target; do
    echo "== $dir $target"
    (cd "$dir" && go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-5s}" .)
  done
done
