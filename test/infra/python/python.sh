#!/usr/bin/env bash
# DuckDB, ClickHouse's engine (chdb) and schemathesis from PyPI, in a virtual environment of its own, for the tests of the indexer's sinks and of the alerting's interface.
#   python.sh install    make the environment (once; needs python3 and pip) and print the path of its python
# Environment (defaults): PYTHON=python3 PYTHON_CACHE=${TMPDIR:-/tmp}/imwatch-python
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${PYTHON_CACHE:-${TMPDIR:-/tmp}/imwatch-python}
install() {
  if ! cmp -s "$here/requirements.txt" "$cache/.complete"; then
    "${PYTHON:-python3}" -m venv "$cache" >&2
    "$cache/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$cache/.complete"
  fi
  echo "$cache/bin/python"
}
case "${1:-}" in
  install) install ;;
  *) sed -n '2,4p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
