# make test needs Go only; make acceptance adds a real Kafka, Elasticsearch and Redis (Java 17, Maven).
.PHONY: build test lint generate fuzz acceptance acceptance-up acceptance-down bench demo clean

LINT := go tool -modfile=tools/go.mod golangci-lint

build:
	go build -o bin/imwatch ./cmd/imwatch

test:
	go test -race -shuffle=on ./...

lint:
	$(LINT) run ./...

# Golden files and the documents that are made from the source.
generate:
	go test ./event ./internal/app ./internal/store/elastic ./kibana ./detector/rule ./detector/sigma ./alerting/render ./shipper/parse ./sim -update

fuzz:
	./test/fuzz.sh

demo: build
	./bin/imwatch demo --for 60s

acceptance:
	./test/acceptance.sh

bench:
	bench/pipeline/run.sh

clean:
	rm -rf bin
