package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// row is a line of the table: one figure of one scenario.
type row struct {
	title, field string
	scenarios    string // by prefix
}

// rows are those figures that are worth comparing.
func rows() []row {
	return []row{
		{"memory a connection after GC, KiB", "rss_kib_each", "idle"},
		{"the same before GC, KiB", "before_gc_kib_each", "idle"},
		{"connect P50, ms", "connect_p50_ms", "idle"},
		{"connect P95, ms", "connect_p95_ms", "idle"},
		{"connect P99, ms", "connect_p99_ms", "idle"},
		{"CPU a connect, ms", "connect_cpu_ms", "idle"},
		{"idle, cores", "idle_cores", "idle"},
		{"a second", "per_second", "room-100-full echo own pinned-room-100 pinned-echo"},
		{"P50, ms", "p50_ms", "room echo own rate pinned"},
		{"P99, ms", "p99_ms", "room echo own rate pinned"},
		{"server's CPU, µs each", "cpu_us_each", "room echo own rate pinned"},
		{"server's cores", "server_cores", "rate pinned-rate"},
		{"peak RSS, MB", "peak_rss_mb", "room"},
		{"all back after, ms", "all_back_ms", "storm"},
		{"back P99, ms", "back_p99_ms", "storm"},
		{"CPU each, ms", "cpu_ms_each", "storm"},
		{"connections, as many as there are descriptors for", "connections", "most"},
		{"memory of one more, KiB", "slope_kib_each", "most"},
		{"RSS of 50,000 by that, MB", "wanted_mb", "most"},
		{"GC pause P99, ms", "gc_p99_ms", "pinned"},
	}
}

func (r row) of(scenario string) bool {
	return slices.ContainsFunc(strings.Fields(r.scenarios), func(p string) bool { return strings.HasPrefix(scenario, p) })
}

// table reads lines of results and prints medians side by side, with the ratios of ours to the others'.
func table(file string, w io.Writer) error {
	in, err := os.Open(file) //nolint:gosec // the caller's own
	if err != nil {
		return err
	}
	defer in.Close()
	values := map[string][]float64{} // by scenario, peer and field
	var names []string
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var r result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := fmt.Sprint(r["scenario"])
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		for field, v := range r {
			if n, ok := v.(float64); ok {
				key := name + "/" + fmt.Sprint(r["peer"]) + "/" + field
				values[key] = append(values[key], n)
			}
		}
	}
	fmt.Fprintln(w, "| run | figure | imwatch | Centrifugo | bare | imwatch : Centrifugo | imwatch : bare |\n| --- | --- | --- | --- | --- | --- | --- |")
	for _, name := range names {
		for _, r := range rows() {
			if !r.of(name) {
				continue
			}
			ours, a := median(values[name+"/imwatch/"+r.field])
			theirs, b := median(values[name+"/centrifugo/"+r.field])
			plain, c := median(values[name+"/bare/"+r.field])
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s |\n", name, r.title, a, b, c, ratio(ours, theirs), ratio(ours, plain))
		}
	}
	return nil
}

func median(v []float64) (n float64, text string) {
	if len(v) == 0 {
		return 0, ""
	}
	slices.Sort(v)
	n = v[len(v)/2]
	return n, strconv.FormatFloat(n, 'f', -1, 64)
}

func ratio(a, b float64) string {
	if a == 0 || b == 0 {
		return ""
	}
	return strconv.FormatFloat(a/b, 'f', 2, 64)
}
