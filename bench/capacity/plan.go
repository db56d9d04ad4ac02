package main

import (
	"fmt"
	"math"

	"imwatch/event"
)

// Role is what one part of the pipeline needs, all of its instances together.
type Role struct {
	Name   string
	Count  int
	Cores  float64 // used at the peak are Full of them
	Memory float64 // GiB
	Disk   float64 // TB
	In     float64 // MB/s at the peak
	Out    float64
	Why    string // what its count comes from
}

// Shards are those of a class of indices.
type Shards struct {
	Class string
	Days  int
	GB    float64 // of a day, primaries
	Size  float64 // GB of one shard
	ADay  int     // primaries
	Open  int     // with replicas, of all days
	Kept  float64 // TB with replicas
}

// Plan is what an input comes to.
type Plan struct {
	In             Input
	Line           float64
	Average, Peak  float64 // lines a second
	Partitions     int
	PartitionMBs   float64 // into one, at the peak
	DetectorShards int
	PerIndexer     float64 // docs a second of one, at the peak
	Shards         []Shards
	OneSetting     int // elasticsearch.shards
	Roles          []Role
	NetworkTB      float64 // between machines in a month
}

const (
	gib       = 1 << 30
	month     = 30 * 86400
	perNode   = 1000 // shards of a node that Elasticsearch allows by default
	floorGiB  = 0.25 // what a process of ours gets at least
	serverGiB = 0.5  // of a server, beside its connections
)

// plan works the input out.
func plan(in Input, f Figures) Plan {
	p := Plan{In: in, Line: in.Line}
	if p.Line == 0 {
		p.Line = f.of(figLine)
	}
	if in.Events == 0 {
		p.In.Events = in.Bytes / p.Line
	}
	p.Average = p.In.Events / 86400
	p.Peak = p.Average * in.Peak
	p.partition(f)
	p.shard(f)
	servers := p.servers(f)
	p.Roles = []Role{servers, p.shippers(f, servers.Count), p.kafka(f), p.indexers(f), p.elastic(f), p.detectors(f), p.alerters(f)}
	p.NetworkTB = p.network(f)
	return p
}

// scaled gives bytes that were measured for the measured line, for lines of another length.
func (p *Plan) scaled(f Figures, name string) float64 { return f.of(name) * p.Line / f.of(figLine) }

// cores is how many are needed for so much CPU a second at the peak.
func (p *Plan) cores(busy float64) float64 { return busy / p.In.Full }

// numbers of partitions that many numbers of consumers share evenly.
var even = []int{4, 6, 12, 24, 36, 48, 60, 72, 96, 120, 180, 240, 360, 480, 720, 960}

// partition chooses how many: for indexers of a core each with room to double, and for at most 5 MB/s into one.
func (p *Plan) partition(f Figures) {
	bytes := p.Peak * p.scaled(f, figKafkaLine)
	need := max(2*p.elasticIndexing(f)/4, 2*p.cores(p.Peak/f.of(figIndex)), 2*p.cores(p.Peak/f.of(figShared)), bytes/5e6)
	p.Partitions = even[len(even)-1]
	for _, n := range even {
		if float64(n) >= need {
			p.Partitions = n
			break
		}
	}
	p.PartitionMBs = bytes / 1e6 / float64(p.Partitions)
}

func (p *Plan) docBytes(f Figures) float64 {
	return p.scaled(f, map[string]string{"as": figDoc, "merged": figDocMerged, "best": figDocBest}[p.In.Docs])
}

func (p *Plan) shard(f Figures) {
	in := p.In
	copies := 1 + in.Replicas
	classes := []struct {
		c     event.Class
		share float64
	}{{event.ClassInfo, 1 - in.Error - in.Warn}, {event.ClassWarn, in.Warn}, {event.ClassError, in.Error}}
	for _, c := range classes {
		s := Shards{Class: c.c.Name, Days: c.c.Days, GB: in.Events * c.share * p.docBytes(f) / 1e9}
		s.ADay = int(max(1, math.Ceil(s.GB/in.ShardGB)))
		p.OneSetting = max(p.OneSetting, s.ADay)
		s.Kept = s.GB * float64(s.Days*copies) / 1000
		p.Shards = append(p.Shards, s)
	}
	for i := range p.Shards {
		s := &p.Shards[i]
		if in.Alike {
			s.ADay = p.OneSetting
		}
		s.Size, s.Open = s.GB/float64(s.ADay), s.ADay*s.Days*copies
	}
}

func (p *Plan) servers(f Figures) Role {
	n := math.Ceil(p.In.Connections / p.In.PerHost)
	busy := p.In.Connections/1e4*f.of(figIdle) + p.Peak*p.In.Connects*f.of(figConnect)/1e3 + p.In.Deliveries*f.of(figDelivery)/1e6
	memory := n*serverGiB + 2*p.In.Connections*f.of(figConnection)*1024/gib // twice what lives: the collector's room
	return Role{"im-server", int(n), max(p.cores(busy), 2*n), memory, 0, 0, 0, fmt.Sprintf("%s connections each; at least 2 cores", count(p.In.PerHost))}
}

func (p *Plan) shippers(f Figures, hosts int) Role {
	out := p.Peak * p.scaled(f, figKafkaLine)
	busy := p.Peak * p.Line / 1e9 * f.of(figShip)
	return Role{
		"ship", hosts, p.cores(busy), float64(hosts) * max(floorGiB, f.of(figShipMemory)/1024), out * p.In.AwayHours * 3600 / 1e12, 0, out / 1e6,
		fmt.Sprintf("one a host; disk: the queue for %v h without Kafka", p.In.AwayHours),
	}
}

func (p *Plan) kafka(f Figures) Role {
	in, m := p.In, p.In.Machine
	bytes := p.Peak * p.scaled(f, figKafkaLine)
	write := bytes
	if p.sharing(f) { // routers write it again
		write += bytes * f.of(figCopies)
		p.DetectorShards = evenAtLeast(2 * int(math.Ceil(p.detectorCores(f))))
	}
	disk := write / in.Peak * in.KafkaHours * 3600 * float64(in.Copies) / in.DiskFull / 1e12
	cores := p.cores(p.Peak * write / bytes * f.of(figKafkaCPU) / 1e6 * float64(in.Copies))
	n, why := most([]need{{float64(max(3, in.Copies)), "as many as there are copies"}, {disk / m.KafkaDisk, "disk"}, {cores / m.KafkaCores, "cores"}})
	read := bytes * 2 // indexers; detectors or routers
	if p.sharing(f) {
		read += bytes * f.of(figCopies)
	}
	return Role{
		"Kafka", n, float64(n) * m.KafkaCores, float64(n) * m.KafkaCores * 4, float64(n) * m.KafkaDisk,
		write * float64(in.Copies) / 1e6, (read + write*float64(in.Copies-1)) / 1e6, fmt.Sprintf("%s: %.1f cores, %.1f TB are needed", why, cores, disk),
	}
}

func (p *Plan) indexers(f Figures) Role {
	cores := p.cores(p.Peak / f.of(figIndex))
	// One takes what Elasticsearch answers in time for its calls in flight: four cores of Elasticsearch busy for each.
	n := max(2, int(math.Ceil(max(cores, p.elasticIndexing(f)/4))))
	p.PerIndexer = p.Peak / float64(n)
	return Role{
		"index", n, max(cores, 0.5*float64(n)), float64(n) * max(floorGiB, 2*f.of(figIndexMemory)/1024), 0,
		p.Peak * p.scaled(f, figKafkaLine) / 1e6, p.Peak * p.Line / 1e6, fmt.Sprintf("one for 4 busy cores of Elasticsearch; %.1f cores of their own", cores),
	}
}

// elasticIndexing is how many cores are busy with primaries at the peak.
func (p *Plan) elasticIndexing(f Figures) float64 { return p.Peak / f.of(figElastic) }

func (p *Plan) elastic(f Figures) Role {
	in, m := p.In, p.In.Machine
	copies := float64(1 + in.Replicas)
	kept, open := 0.0, 0
	for _, s := range p.Shards {
		kept, open = kept+s.Kept, open+s.Open
	}
	disk := kept / in.DiskFull
	cores := p.cores(p.elasticIndexing(f)*copies) / (1 - in.Search)
	n, why := most([]need{
		{3, "three for a quorum"}, {disk / m.ElasticDisk, "disk"}, {cores / m.ElasticCores, "cores"}, {float64(open) / perNode, "open shards, 1,000 a node"},
	})
	bytes := p.Peak * p.Line
	return Role{
		"Elasticsearch", n, float64(n) * m.ElasticCores, float64(n) * 64, float64(n) * m.ElasticDisk,
		bytes * copies / 1e6, bytes * (copies - 1) / 1e6, fmt.Sprintf("%s: %.1f cores, %.1f TB, %s shards", why, cores, disk, count(float64(open))),
	}
}

// sharing says whether one detector is not enough.
func (p *Plan) sharing(f Figures) bool { return p.Peak/f.of(figDetect) > p.In.Full }

func (p *Plan) detectorCores(f Figures) float64 {
	if p.sharing(f) {
		return p.cores(p.Peak / f.of(figShared))
	}
	return p.cores(p.Peak / f.of(figDetect))
}

func (p *Plan) detectors(f Figures) Role {
	cores := p.detectorCores(f)
	bytes := p.Peak * p.scaled(f, figKafkaLine)
	memory := 2 * p.In.Keys * f.of(figKey) / gib
	if !p.sharing(f) {
		return Role{"detect", 1, max(1, cores), max(0.5, memory), 0, bytes / 1e6, 0, fmt.Sprintf("one can: %.2f of a core busy at the peak; detector.shards: 0", p.Peak/f.of(figDetect))}
	}
	n := max(2, int(math.Ceil(cores/2)))
	return Role{
		"detect", n, 2 * float64(n), float64(n)*floorGiB + memory, 0, bytes * (1 + f.of(figCopies)) / 1e6, bytes * f.of(figCopies) / 1e6,
		fmt.Sprintf("%.1f cores, two each; detector.shards: %d", cores, p.DetectorShards),
	}
}

func (p *Plan) alerters(f Figures) Role {
	cores := p.cores(p.In.Alerts * f.of(figAlert) / 1e3)
	n := max(2, int(math.Ceil(cores)))
	return Role{"alert", n, max(cores, 0.5*float64(n)), floorGiB * float64(n), 0, 0, 0, fmt.Sprintf("two, so that one may go; %.2f cores in a flood of %v a second", cores, p.In.Alerts)}
}

// network is what goes between machines in a month, on average.
func (p *Plan) network(Figures) float64 {
	sum := 0.0
	for _, r := range p.Roles {
		sum += r.In
	}
	return sum / p.In.Peak * month / 1e6
}

// need is how many machines something asks for.
type need struct {
	n    float64
	what string
}

// most gives what asks for most.
func most(ns []need) (int, string) {
	top := ns[0]
	for _, n := range ns[1:] {
		if math.Ceil(n.n) > math.Ceil(top.n) {
			top = n
		}
	}
	return int(math.Ceil(top.n)), top.what
}

func evenAtLeast(n int) int {
	for _, e := range even {
		if e >= n {
			return e
		}
	}
	return n
}
