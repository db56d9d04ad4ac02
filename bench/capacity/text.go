package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// write prints a plan as Markdown.
func (p *Plan) write(w io.Writer) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	in := p.In
	line("%s a day: %s lines of %.0f bytes; %s/s on average, %s/s at the peak (%v times).\n", bytesText(in.Events*p.Line), count(in.Events), p.Line, count(p.Average), count(p.Peak), in.Peak)
	line("| role | instances | cores | memory, GiB | disk, TB | in, MB/s | out, MB/s | by |")
	line("| --- | --- | --- | --- | --- | --- | --- | --- |")
	var sum Role
	for _, r := range p.Roles {
		line("| %s | %d | %.1f | %.1f | %s | %.0f | %.0f | %s |", r.Name, r.Count, r.Cores, r.Memory, disk(r.Disk), r.In, r.Out, r.Why)
		sum.Cores, sum.Memory, sum.Disk = sum.Cores+r.Cores, sum.Memory+r.Memory, sum.Disk+r.Disk
	}
	line("| all | | %.1f | %.1f | %s | | | |\n", sum.Cores, sum.Memory, disk(sum.Disk))
	line("`topics.partitions: %d` (%.1f MB/s into one at the peak), %s.\n", p.Partitions, p.PartitionMBs, p.shardKeys())
	line("| class | days | GB a day | shards a day | GB each | kept, TB | shards open |")
	line("| --- | --- | --- | --- | --- | --- | --- |")
	for _, s := range p.Shards {
		line("| %s | %d | %.1f | %d | %.2f | %.2f | %s |", s.Class, s.Days, s.GB, s.ADay, s.Size, s.Kept, count(float64(s.Open)))
	}
	line("\nGB a day and shards a day are primaries, kept and open are with replicas.\n")
	p.cost(line, sum)
}

// shardKeys are the keys of the configuration that make such shards: few for all indices, more for classes that need them.
func (p *Plan) shardKeys() string {
	if p.In.Alike || p.OneSetting == 1 {
		return fmt.Sprintf("`elasticsearch.shards: %d`", p.OneSetting)
	}
	var more []string
	for _, s := range p.Shards {
		if s.ADay > 1 {
			more = append(more, fmt.Sprintf("%s: %d", s.Class, s.ADay))
		}
	}
	return fmt.Sprintf("`elasticsearch.shards: 1`, `elasticsearch.shards_by_class: {%s}`", strings.Join(more, ", "))
}

func (p *Plan) cost(line func(string, ...any), sum Role) {
	line("| a month | quantity | price | cost |\n| --- | --- | --- | --- |")
	all, total := true, 0.0
	for _, c := range []struct {
		name, unit string
		n, price   float64
	}{
		{"cores", "", sum.Cores, p.In.Price.Core},
		{"memory", " GiB", sum.Memory, p.In.Price.GiB},
		{"disk", " TB", sum.Disk, p.In.Price.DiskTB},
		{"between machines", " TB", p.NetworkTB, p.In.Price.NetworkTB},
	} {
		if c.price == 0 {
			all = false
			line("| %s | %s%s | your price | %s × your price |", c.name, count(c.n), c.unit, count(c.n))
			continue
		}
		total += c.n * c.price
		line("| %s | %s%s | %v | %s |", c.name, count(c.n), c.unit, c.price, count(c.n*c.price))
	}
	if all {
		line("| all | | | %s |", count(total))
	}
}

// growth prints what the same fleet needs with more or less of it: which machine is needed first shows there.
func growth(w io.Writer, in Input, f Figures) {
	_, _ = fmt.Fprintln(w, "| a day | lines/s at the peak | partitions | indexers | detectors | brokers, by | Elasticsearch nodes, by |\n| --- | --- | --- | --- | --- | --- | --- |")
	for _, times := range []float64{0.01, 0.1, 0.5, 1, 2, 5, 10} {
		at := in
		at.Bytes, at.Events = in.Bytes*times, in.Events*times
		at.Connections, at.Deliveries, at.Keys = in.Connections*times, in.Deliveries*times, in.Keys*times
		p := plan(at, f)
		by := map[string]Role{}
		for _, r := range p.Roles {
			by[r.Name] = r
		}
		_, _ = fmt.Fprintf(w, "| %s | %s | %d | %d | %d | %d, %s | %d, %s |\n", bytesText(p.In.Events*p.Line), count(p.Peak), p.Partitions, by["index"].Count, by["detect"].Count,
			by["Kafka"].Count, by["Kafka"].Why, by["Elasticsearch"].Count, by["Elasticsearch"].Why)
	}
}

// table prints the measured figures.
func (fs Figures) table(w io.Writer) {
	_, _ = fmt.Fprintln(w, "| figure | value | measured by |\n| --- | --- | --- |")
	for _, f := range fs {
		_, _ = fmt.Fprintf(w, "| `%s` | %s %s | %s (%s) |\n", f.Name, strconv.FormatFloat(f.Value, 'f', -1, 64), f.Unit, f.How, f.Date)
	}
}

func disk(tb float64) string {
	if tb == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", tb)
}

func bytesText(b float64) string {
	switch {
	case b >= 1e12:
		return fmt.Sprintf("%.3g TB", b/1e12)
	case b >= 1e9:
		return fmt.Sprintf("%.3g GB", b/1e9)
	}
	return fmt.Sprintf("%.3g MB", b/1e6)
}

// count prints a number with its thousands parted.
func count(f float64) string {
	s := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
