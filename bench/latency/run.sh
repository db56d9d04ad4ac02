#!/usr/bin/env bash
# Starts a fresh Kafka and Elasticsearch, runs the latency bench on them, and stops them again.
# Arguments go to the bench: bench/latency/run.sh --rate 5000
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export KAFKA_PORT=${KAFKA_PORT:-19892} ES_HTTP_PORT=${ES_HTTP_PORT:-19993} ES_HEAP=${ES_HEAP:-512m}
base=$(mktemp -d "${TMPDIR:-/tmp}/imwatch-bench.XXXXXX")
chmod 755 "$base" # Elasticsearch runs as another user
export KAFKA_RUN=$base/kafka ES_RUN=$base/es
kafka=test/infra/kafka/kafka.sh es=test/infra/elasticsearch/es.sh
finish() { $kafka wipe || true; $es wipe || true; rm -rf "$base"; }
trap finish EXIT
$kafka start >&2
$es start >&2
go run ./bench/latency --kafka "127.0.0.1:$KAFKA_PORT" --es "http://127.0.0.1:$ES_HTTP_PORT" "$@"
