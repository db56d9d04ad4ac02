package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Input is what the plan is for.
type Input struct {
	Bytes       float64 // of lines a day
	Events      float64 // a day; 0: Bytes / Line
	Line        float64 // bytes of a line; 0: as measured
	Peak        float64 // of the average, in the busiest minutes
	Error, Warn float64 // shares of these levels in all lines; the rest is info
	Replicas    int     // of a shard, beside the primary
	Copies      int     // of a Kafka partition
	KafkaHours  float64 // that Kafka keeps
	AwayHours   float64 // that a shipper's queue must last for
	Full        float64 // of the cores that may be used at the peak
	DiskFull    float64 // of the disks that may be used
	Search      float64 // what searching takes beside indexing, of the same cores
	ShardGB     float64 // of a shard at most
	Alike       bool    // as many shards for each class of events
	Docs        string  // as, merged, best
	Connections float64
	Connects    float64 // share of lines that are connects
	Deliveries  float64 // messages to clients a second at the peak
	PerHost     float64 // connections of a server host
	Keys        float64 // of rules, at the same time, all rules together
	Alerts      float64 // a second in a flood
	Machine     Machines
	Price       Prices
}

// Machines are the sizes of which as many are taken as are needed.
type Machines struct {
	ElasticCores, ElasticDisk float64 // cores, TB
	KafkaCores, KafkaDisk     float64
}

// Prices are a month's, in any currency; 0: not given.
type Prices struct {
	Core, GiB, DiskTB, NetworkTB float64
}

// parse reads a plan's flags.
func parse(args []string, errs io.Writer) (Input, error) {
	var in Input
	fs := flag.NewFlagSet("plan", flag.ContinueOnError)
	fs.SetOutput(errs)
	in.Bytes = 1.2e12
	fs.Func("bytes-per-day", "bytes of lines a day, as 300GB or 1.2TB (default 1.2TB)", func(s string) (err error) { in.Bytes, err = size(s); return err })
	fs.Float64Var(&in.Events, "events-per-day", 0, "lines a day, in place of their bytes")
	fs.Float64Var(&in.Line, "line", 0, "bytes of a line; 0: as measured")
	fs.Float64Var(&in.Peak, "peak", 3, "the busiest minutes against the average")
	fs.Float64Var(&in.Error, "errors", 0.0011, "share of lines of level error and fatal")
	fs.Float64Var(&in.Warn, "warnings", 0.0635, "share of lines of level warn")
	fs.IntVar(&in.Replicas, "replicas", 1, "copies of a shard beside the primary")
	fs.IntVar(&in.Copies, "kafka-copies", 3, "replication factor of topics")
	fs.Float64Var(&in.KafkaHours, "kafka-hours", 24, "topics.retention in hours")
	fs.Float64Var(&in.AwayHours, "away-hours", 4, "how long Kafka may be away at the peak: the shippers' queues")
	fs.Float64Var(&in.Full, "full", 0.6, "share of cores that may be used at the peak")
	fs.Float64Var(&in.DiskFull, "disk-full", 0.75, "share of disks that may be used: Elasticsearch moves shards away from 85 %, or 90 %")
	fs.Float64Var(&in.Search, "search", 0.25, "what searching takes of Elasticsearch beside indexing")
	fs.Float64Var(&in.ShardGB, "shard-gb", 40, "a shard's size at most")
	fs.BoolVar(&in.Alike, "shards-alike", false, "as many shards for each class of events: without elasticsearch.shards_by_class")
	fs.StringVar(&in.Docs, "docs", "as", "size of documents: as (they lie there after indexing), merged (forced to one segment), best (best_compression besides)")
	fs.Float64Var(&in.Connections, "connections", 5e6, "connections of clients")
	fs.Float64Var(&in.Connects, "connects", 0.4, "share of lines that are connects")
	fs.Float64Var(&in.Deliveries, "deliveries", 2e6, "messages to clients a second at the peak")
	fs.Float64Var(&in.PerHost, "connections-per-host", 50_000, "connections of a server host")
	fs.Float64Var(&in.Keys, "keys", 5e6, "keys of all rules with state at the same time")
	fs.Float64Var(&in.Alerts, "alerts", 50, "alerts a second in a flood")
	fs.Float64Var(&in.Machine.ElasticCores, "elastic-cores", 16, "cores of an Elasticsearch node")
	fs.Float64Var(&in.Machine.ElasticDisk, "elastic-disk", 8, "its disk, TB")
	fs.Float64Var(&in.Machine.KafkaCores, "kafka-cores", 4, "cores of a broker")
	fs.Float64Var(&in.Machine.KafkaDisk, "kafka-disk", 2, "its disk, TB")
	fs.Float64Var(&in.Price.Core, "price-core", 0, "your price of a core for a month")
	fs.Float64Var(&in.Price.GiB, "price-gib", 0, "your price of a GiB of memory for a month")
	fs.Float64Var(&in.Price.DiskTB, "price-disk", 0, "your price of a TB of disk for a month")
	fs.Float64Var(&in.Price.NetworkTB, "price-network", 0, "your price of a TB between machines")
	if err := fs.Parse(args); err != nil {
		return in, err
	}
	if fs.NArg() > 0 {
		return in, fmt.Errorf("expected flags only, found %q", fs.Args())
	}
	return in, in.check()
}

func (in *Input) check() error {
	var errs []error
	for _, n := range []struct {
		name    string
		v       float64
		min, to float64
	}{
		{"bytes-per-day", in.Bytes, 1e6, 1e16},
		{"line", in.Line, 0, 65536},
		{"peak", in.Peak, 1, 100},
		{"errors", in.Error, 0, 1},
		{"warnings", in.Warn, 0, 1 - in.Error},
		{"replicas", float64(in.Replicas), 0, 5},
		{"kafka-copies", float64(in.Copies), 1, 5},
		{"full", in.Full, 0.1, 1},
		{"disk-full", in.DiskFull, 0.1, 1},
		{"shard-gb", in.ShardGB, 1, 200},
		{"connections-per-host", in.PerHost, 1, 1e6},
		{"elastic-cores", in.Machine.ElasticCores, 1, 256},
		{"elastic-disk", in.Machine.ElasticDisk, 0.1, 200},
		{"kafka-cores", in.Machine.KafkaCores, 1, 256},
		{"kafka-disk", in.Machine.KafkaDisk, 0.1, 200},
	} {
		if !(n.v >= n.min && n.v <= n.to) {
			errs = append(errs, fmt.Errorf("--%s: found %v, expected %v to %v", n.name, n.v, n.min, n.to))
		}
	}
	if in.Docs != "as" && in.Docs != "merged" && in.Docs != "best" {
		errs = append(errs, fmt.Errorf("--docs: found %q, expected as, merged or best", in.Docs))
	}
	return errors.Join(errs...)
}

// size reads a number of bytes with a unit of powers of ten.
func size(s string) (float64, error) {
	for _, u := range []struct {
		name string
		is   float64
	}{{"PB", 1e15}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"B", 1}, {"", 1}} {
		if n, ok := strings.CutSuffix(s, u.name); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
			if err != nil {
				return 0, fmt.Errorf("found %q, expected a number with MB, GB, TB or PB", s)
			}
			return v * u.is, nil
		}
	}
	return 0, nil
}
