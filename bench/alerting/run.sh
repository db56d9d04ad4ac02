#!/usr/bin/env bash
# Compares imwatch's alerting with Prometheus' Alertmanager. Alertmanager is the one in the path, or Debian's package, unpacked into
# ALERTMANAGER_CACHE (~/.cache/imwatch/alertmanager) without being installed.
# Arguments go to the bench: bench/alerting/run.sh --active 2000
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
peer=$(command -v prometheus-alertmanager || true)
if [ -z "$peer" ]; then
  cache=${ALERTMANAGER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/imwatch/alertmanager}
  peer=$cache/usr/bin/prometheus-alertmanager
  if [ ! -x "$peer" ]; then
    mkdir -p "$cache"
    (cd "$cache" && apt-get download prometheus-alertmanager >&2 && dpkg -x prometheus-alertmanager_*.deb . && rm -f prometheus-alertmanager_*.deb)
  fi
fi
# Debian's build reads its default template from a fixed place.
templates=/usr/share/prometheus/alertmanager
if [ ! -e "$templates/default.tmpl" ]; then
  mkdir -p "$(dirname "$templates")"
  ln -sfn "$(cd "$(dirname "$peer")/../share/prometheus/alertmanager" && pwd)" "$templates"
fi
program=$(mktemp "${TMPDIR:-/tmp}/imwatch-bench-alerting.XXXXXX")
trap 'rm -f "$program"' EXIT
go build -o "$program" ./bench/alerting
"$peer" --version 2>&1 | head -1 >&2
"$program" --alertmanager "$peer" "$@"
