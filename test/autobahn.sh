#!/usr/bin/env bash
# Autobahn's fuzzing client against the IM server: some 500 cases of RFC 6455 and permessage-deflate, every one of which must be
# OK. It needs Python 2.7 (PYTHON2=/path/to/python2.7) and a virtualenv that can still make an environment for it; both are
# old because the suite is. The report of the run is left in $REPORT (default: a folder that is removed).
set -eu
cd "$(dirname "$0")/.."
python2=${PYTHON2:-$(command -v python2.7)} || { echo "autobahn.sh: Python 2.7 is needed: set PYTHON2" >&2; exit 2; }
tools=${AUTOBAHN_HOME:-$PWD/bin/autobahn}
if [ ! -x "$tools/env/bin/wstest" ]; then
	mkdir -p "$tools"
	python3 -m venv "$tools/maker"
	"$tools/maker/bin/pip" install -q 'virtualenv==20.21.1'
	"$tools/maker/bin/virtualenv" -q -p "$python2" "$tools/env"
	"$tools/env/bin/pip" install -q 'autobahntestsuite==25.10.1'
fi
IMWATCH_TEST_AUTOBAHN="$tools/env/bin/wstest" IMWATCH_TEST_AUTOBAHN_REPORT="${REPORT:-}" go test -count=1 -timeout 30m -run '^TestAutobahn$' -v ./im-server
