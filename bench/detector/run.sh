#!/usr/bin/env bash
# Puts elastalert2 into a virtual environment of its own and runs the bench beside it.
# Arguments go to the bench: bench/detector/run.sh --events 50000
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
venv=${ELASTALERT_VENV:-}
if [ -z "$venv" ]; then
	venv=$(mktemp -d "${TMPDIR:-/tmp}/imwatch-elastalert.XXXXXX")
	trap 'rm -rf "$venv"' EXIT
fi
if [ ! -x "$venv/bin/python" ]; then
	python3 -m venv "$venv"
fi
"$venv/bin/python" -c 'import elastalert.ruletypes' 2>/dev/null || "$venv/bin/pip" install -q elastalert2 pytz >&2
go run ./bench/detector --python "$venv/bin/python" "$@"
