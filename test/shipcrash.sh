#!/usr/bin/env bash
# Starts a Kafka and an Elasticsearch of its own, kills them, the shipper and the indexer at random moments, and counts what has come of the
# lines written meanwhile. Arguments go to the test: ROUNDS=50 test/shipcrash.sh -run TestCrash/kafka
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export KAFKA_PORT=${KAFKA_PORT:-19892} ES_HTTP_PORT=${ES_HTTP_PORT:-19993} ES_HEAP=${ES_HEAP:-768m}
base=$(mktemp -d "${TMPDIR:-/tmp}/imwatch-shipcrash.XXXXXX")
chmod 755 "$base" # Elasticsearch runs as another user
export KAFKA_RUN=$base/kafka ES_RUN=$base/es
kafka=test/infra/kafka/kafka.sh es=test/infra/elasticsearch/es.sh
finish() { $kafka wipe || true; $es wipe || true; rm -rf "$base"; }
trap finish EXIT
$kafka start
$es start
export IMWATCH_TEST_KAFKA=127.0.0.1:$KAFKA_PORT IMWATCH_TEST_ES=http://127.0.0.1:$ES_HTTP_PORT
export IMWATCH_TEST_KAFKA_SCRIPT=$PWD/$kafka IMWATCH_TEST_ES_SCRIPT=$PWD/$es
go test -count=1 -timeout "${TIMEOUT:-180m}" -v ./test/shipcrash "$@"
