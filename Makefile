# make test needs Go only; make acceptance adds a real Kafka, Elasticsearch and Redis (Java 17, Maven).
.PHONY: build test browser autobahn property rotation lint generate fuzz acceptance acceptance-up acceptance-down bench demo clean

LINT := go tool -modfile=tools/go.mod golangci-lint

build:
	go build -o bin/imwatch ./cmd/imwatch

test:
	go test -race -shuffle=on ./...

# The JavaScript client in Chromium, against the real server: Node and Chromium are needed (CHROMIUM=/usr/bin/chromium).
browser:
	cd client/js/test && npm ci --no-audit --no-fund && npm test

# What must not depend on order, splits, restarts or who does the work, drawn a thousand times. SEED repeats a run.
SEED ?= 0
property:
	go test -count=1 ./detector/engine ./detector/window ./detector/shard -rapid.checks=1000 -rapid.seed=$(SEED)
	IMWATCH_TEST_TELLING=1 go test -count=1 ./alerting -run TestRestartsChangeNothing -rapid.checks=300 -rapid.seed=$(SEED)
	IMWATCH_TEST_SHARED_RUNS=50 go test -count=1 ./detector -run TestSharedWork

# A log that is rotated each second in every way, with and without kills of the shipper: five minutes.
rotation:
	IMWATCH_TEST_ROTATION=200000 go test -count=1 -v -timeout 30m ./test/rotation

lint:
	$(LINT) run ./...

# Golden files and the documents that are made from the source.
generate:
	go test ./event ./im-server/protocol ./internal/app ./internal/store/elastic ./kibana ./detector/rule ./detector/sigma ./alerting ./alerting/render ./shipper/parse ./sim ./bench/capacity -update

fuzz:
	./test/fuzz.sh

# Autobahn's fuzzing client against the server: Python 2.7 and pip are needed.
autobahn:
	./test/autobahn.sh

demo: build
	./bin/imwatch demo --for 60s

acceptance:
	./test/acceptance.sh

bench:
	bench/pipeline/run.sh
	bench/latency/run.sh
	bench/detector/run.sh

clean:
	rm -rf bin
