package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the tables in docs/capacity.md")

// made are the parts of the document that the program writes: what it was asked, and what it answered.
var made = regexp.MustCompile(`(?s)(<!-- made by: go run \./bench/capacity ([^\n]*) -->\n)(.*?)(<!-- end -->)`)

func figures(t interface {
	Helper()
	Fatal(args ...any)
},
) Figures {
	t.Helper()
	f, err := load("measured.json")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Every table in docs/capacity.md is what the program prints today.
func TestDocument(t *testing.T) {
	const file = "../../docs/capacity.md"
	f := figures(t)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	got := made.ReplaceAllFunc(b, func(part []byte) []byte {
		n++
		m := made.FindSubmatch(part)
		args := strings.Fields(string(m[2]))
		var out bytes.Buffer
		if args[0] == "figures" {
			f.table(&out)
		} else if err := showWith(f, args[0], args[1:], &out, t.Output()); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		return bytes.Join([][]byte{m[1], out.Bytes(), m[4]}, nil)
	})
	if n < 4 {
		t.Errorf("%d parts are made by the program, expected plans, growth and figures", n)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(string(b), string(got)); diff != "" {
		t.Errorf("docs/capacity.md differs; run make generate:\n%s", diff)
	}
}

func input(t *testing.T, args ...string) Input {
	t.Helper()
	in, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// Each class gets as many shards as it needs, unless all are to have as many as the largest.
func TestShardsByClass(t *testing.T) {
	args := []string{"--bytes-per-day", "1.2TB", "--line", "600"}
	by, alike := plan(input(t, args...), figures(t)), plan(input(t, append(args, "--shards-alike")...), figures(t))
	var keys []string
	for _, p := range []Plan{by, alike} {
		keys = append(keys, p.shardKeys())
		for _, s := range p.Shards {
			if s.Size > p.In.ShardGB || s.ADay > 1 && !p.In.Alike && s.GB/float64(s.ADay-1) <= p.In.ShardGB {
				t.Errorf("%+v", s)
			}
		}
	}
	want := []string{"`elasticsearch.shards: 1`, `elasticsearch.shards_by_class: {info: 18, warn: 2}`", "`elasticsearch.shards: 18`"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Error(diff)
	}
}

// A plan by hand: what is printed is what the figures say.
func TestPlan(t *testing.T) {
	f := figures(t)
	for i := range f { // round figures, so that the sums are easy
		f[i].Value = map[string]float64{figLine: 1000, figKafkaLine: 250, figDoc: 800, figElastic: 5000, figIndex: 100_000, figDetect: 100_000, figShared: 40_000, figShip: 5, figKafkaCPU: 5}[f[i].Name]
	}
	p := plan(input(t, "--shards-alike", "--bytes-per-day", "864GB", "--errors", "0", "--warnings", "0.1", "--peak", "2", "--full", "0.5", "--disk-full", "0.8", "--search", "0.2"), f)
	if p.Average != 10_000 || p.Peak != 20_000 {
		t.Errorf("%v and %v lines a second", p.Average, p.Peak)
	}
	want := []Shards{
		{Class: "info", Days: 30, GB: 622.08, Size: 38.88, ADay: 16, Open: 960, Kept: 37.3248},
		{Class: "warn", Days: 90, GB: 69.12, Size: 4.32, ADay: 16, Open: 2880, Kept: 12.4416},
		{Class: "error", Days: 180, ADay: 16, Open: 5760},
	}
	near := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 })
	if diff := cmp.Diff(want, p.Shards, near); diff != "" {
		t.Error(diff)
	}
	by := map[string]Role{}
	for _, r := range p.Roles {
		by[r.Name] = r
	}
	if e := by["Elasticsearch"]; e.Count != 10 || !strings.HasPrefix(e.Why, "open shards, 1,000 a node: 20.0 cores, 62.2 TB, 9,600 shards") {
		t.Errorf("%+v", e)
	}
	if d := by["detect"]; d.Count != 1 || !strings.Contains(d.Why, "0.20 of a core") {
		t.Errorf("%+v", d)
	}
	if s := by["ship"]; s.Count != 100 || s.Cores != 0.2 { // 20 MB/s at 5 s/GB, half full
		t.Errorf("%+v", s)
	}
}

// More lines never need less of anything, and what is planned carries the peak.
func TestMoreNeedsNoLess(t *testing.T) {
	f := figures(t)
	in := input(t)
	rapid.Check(t, func(t *rapid.T) {
		a, b := in, in
		a.Bytes = rapid.Float64Range(1e9, 1e13).Draw(t, "bytes")
		b.Bytes = a.Bytes * rapid.Float64Range(1, 10).Draw(t, "times")
		a.Line = rapid.Float64Range(200, 4000).Draw(t, "line")
		b.Line = a.Line
		p, q := plan(a, f), plan(b, f)
		if q.Partitions < p.Partitions {
			t.Errorf("%d partitions, and %d for more", p.Partitions, q.Partitions)
		}
		for i, r := range p.Roles {
			if more := q.Roles[i]; more.Count < r.Count || more.Disk < r.Disk-1e-9 {
				t.Errorf("%+v, and for more %+v", r, more)
			}
			if r.Name == "Elasticsearch" && r.Cores*a.Full*(1-a.Search) < p.elasticIndexing(f)*float64(1+a.Replicas)-1e-6 {
				t.Errorf("%v cores do not carry the peak", r.Cores)
			}
			if (r.Name == "index" || r.Name == "detect") && r.Count > p.Partitions && r.Count > p.DetectorShards {
				t.Errorf("%d of %s share %d partitions", r.Count, r.Name, p.Partitions)
			}
		}
	})
}

func TestInputFaults(t *testing.T) {
	for _, args := range [][]string{
		{"--bytes-per-day", "much"}, {"--peak", "0"}, {"--warnings", "2"}, {"--docs", "small"}, {"--full", "0"}, {"--disk-full", "NaN"}, {"more"},
	} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
