#!/usr/bin/env bash
# Starts a real Kafka, a real Elasticsearch and a real Redis, runs every adapter's suite on them and the acceptance tests in both
# modes, kills what stands between a log and its documents, and stops them again. Arguments go to the acceptance tests: test/acceptance.sh -run TestKill -v
#   KAFKA_PORT (19292), ES_HTTP_PORT (19393), REDIS_PORT (19479): where they listen, on 127.0.0.1. Kafka's controller takes the port behind its
#   own, its listener with TLS the next one, Elasticsearch the one 100 further.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export KAFKA_PORT=${KAFKA_PORT:-19292} ES_HTTP_PORT=${ES_HTTP_PORT:-19393} REDIS_PORT=${REDIS_PORT:-19479} ES_HEAP=${ES_HEAP:-512m}
base=$(mktemp -d "${TMPDIR:-/tmp}/imwatch-acceptance.XXXXXX")
chmod 755 "$base" # Elasticsearch runs as another user
export KAFKA_SECURE_PORT=${KAFKA_SECURE_PORT:-$((KAFKA_PORT + 2))}
export KAFKA_RUN=$base/kafka ES_RUN=$base/es REDIS_RUN=$base/redis
kafka=test/infra/kafka/kafka.sh es=test/infra/elasticsearch/es.sh redis=test/infra/redis/redis.sh
finish() { $kafka wipe || true; $es wipe || true; $redis wipe || true; rm -rf "$base"; }
trap finish EXIT
$kafka start
$es start
$redis start
export IMWATCH_TEST_KAFKA=127.0.0.1:$KAFKA_PORT IMWATCH_TEST_ES=http://127.0.0.1:$ES_HTTP_PORT IMWATCH_TEST_REDIS=127.0.0.1:$REDIS_PORT
export IMWATCH_TEST_KAFKA_SECURE=127.0.0.1:$KAFKA_SECURE_PORT IMWATCH_TEST_KAFKA_CA=$KAFKA_RUN/ca.pem
export IMWATCH_TEST_KAFKA_SCRIPT=$PWD/$kafka IMWATCH_TEST_ES_SCRIPT=$PWD/$es
if command -v python3 >/dev/null && IMWATCH_TEST_PYTHON=${IMWATCH_TEST_PYTHON:-$(test/infra/python/python.sh install)}; then
  export IMWATCH_TEST_PYTHON
else
  echo "passed over: the sinks' files are read by nobody, and nobody tries the alerting's interface, for there is no python3 with venv and pip here"
fi
if [ $# -eq 0 ]; then
  if [ -n "${IMWATCH_TEST_PYTHON:-}" ]; then
    go build -o "$base/imwatch" ./cmd/imwatch
    test/alertsapi.sh "$base/imwatch"
  fi
  go test -count=1 -timeout 20m ./alerting/deliver ./internal/bus/... ./internal/store ./internal/store/sqlite ./shipper/index/...
  IMWATCH_TEST_REDIS_SECONDS=${REDIS_SECONDS:-20} go test -count=1 -timeout 20m ./im-server/cluster/...
  go test -count=1 -timeout 20m ./internal/store/elastic -rapid.seed="${SEED:-20261128}" # another one with SEED=0
fi
go test -count=1 -timeout 40m ./test/acceptance "$@"
