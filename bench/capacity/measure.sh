#!/usr/bin/env bash
# Starts a fresh Kafka and Elasticsearch, measures on them what the capacity model is made of, writes it into
# bench/capacity/measured.json, and stops them again. Arguments go to the program: bench/capacity/measure.sh --events 2000000
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export KAFKA_PORT=${KAFKA_PORT:-19692} ES_HTTP_PORT=${ES_HTTP_PORT:-19793} ES_HEAP=${ES_HEAP:-1g}
base=$(mktemp -d "${TMPDIR:-/tmp}/imwatch-capacity.XXXXXX")
chmod 755 "$base" # Elasticsearch runs as another user
export KAFKA_RUN=$base/kafka ES_RUN=$base/es
kafka=test/infra/kafka/kafka.sh es=test/infra/elasticsearch/es.sh
finish() { $kafka wipe || true; $es wipe || true; rm -rf "$base"; }
trap finish EXIT
$kafka start >&2
$es start >&2
go run ./bench/capacity measure --kafka "127.0.0.1:$KAFKA_PORT" --kafka-run "$KAFKA_RUN" --es "http://127.0.0.1:$ES_HTTP_PORT" "$@"
