#!/usr/bin/env bash
# The alerting's HTTP interface against its own description: schemathesis from PyPI sends what openapi.json allows and what it
# does not to a running `imwatch up`. The check that what the description allows is accepted is left out: a description cannot
# say what a condition or an IANA zone is. So is that a deleted thing is gone: a silence that was ended is shown for a week more.
#   alertsapi.sh IMWATCH       the program to try
# Environment (defaults): PYTHON_CACHE=${TMPDIR:-/tmp}/imwatch-python EXAMPLES=50 PORT=19110
set -euo pipefail
imwatch=$(realpath "${1:?usage: alertsapi.sh IMWATCH}")
cd "$(dirname "$0")/.."
python=$(test/infra/python/python.sh install)
port=${PORT:-19110}
work=$(mktemp -d)
cat >"$work/imwatch.yaml" <<YAML
ops: {addr: "127.0.0.1:0"}
im_server: {addr: "127.0.0.1:0", ops_addr: "127.0.0.1:0"}
alerting:
  api: {addr: "127.0.0.1:$port"}
YAML
"$imwatch" up --config "$work/imwatch.yaml" --data "$work/data" >"$work/up.log" 2>&1 &
pid=$!
trap 'kill $pid; wait $pid || true; rm -rf "$work"' EXIT
until grep -q "the interface for people is up" "$work/up.log"; do
  kill -0 $pid 2>/dev/null || { cat "$work/up.log" >&2; exit 1; }
  sleep 0.1
done
cd "$work" # it keeps what it found where it runs
"$(dirname "$python")/schemathesis" run "http://127.0.0.1:$port/api/v1/openapi.json" --header "Authorization: Bearer $(cat "$work/data/alerts.token")" \
  --checks all --exclude-checks positive_data_acceptance,use_after_free --max-examples "${EXAMPLES:-50}" --phases coverage,fuzzing,stateful --workers 1 --no-color
