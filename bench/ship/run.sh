#!/usr/bin/env bash
# Starts a fresh Kafka, runs the shipper's bench on it, and stops it again. Arguments go to the bench: bench/ship/run.sh --rounds 1
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export KAFKA_PORT=${KAFKA_PORT:-19692}
base=$(mktemp -d "${TMPDIR:-/tmp}/imwatch-bench.XXXXXX")
export KAFKA_RUN=$base/kafka
finish() { test/infra/kafka/kafka.sh wipe || true; rm -rf "$base"; }
trap finish EXIT
test/infra/kafka/kafka.sh start >&2
go run ./bench/ship --kafka "127.0.0.1:$KAFKA_PORT" "$@"
