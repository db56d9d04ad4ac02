package embedded

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/twmb/franz-go/pkg/kfake"

	"imwatch/internal/bus"
)

// lookEvery is how often sizes are looked at, and tidyEvery how often the broker applies time limits and compaction,
// which it does once an hour by itself.
const (
	lookEvery = time.Second
	tidyEvery = time.Minute
)

// committer tells what a group has committed; the bus does.
type committer interface {
	Committed(ctx context.Context, group, topic string) (bus.Position, error)
}

// space keeps topics within their bytes.
type space struct {
	bytes   int64 // of each topic
	cluster *kfake.Cluster
	commits committer
	gauges  gauges
	end     context.CancelFunc
	ctx     context.Context
	stopped chan struct{}

	mu      sync.Mutex
	topics  map[string]*share
	changed chan struct{} // closed and replaced when a topic is full no longer
}

// share is what one topic may take, and who consumes it.
type share struct {
	partitions int
	each       int64 // bytes of a partition
	groups     []string
	full       bool
}

func newSpace(bytes int64, cluster *kfake.Cluster, commits committer, g gauges) *space {
	s := &space{
		bytes: bytes, cluster: cluster, commits: commits, gauges: g, stopped: make(chan struct{}),
		topics: map[string]*share{}, changed: make(chan struct{}),
	}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// limit sets the share of topics that exist. Compacted ones are bounded by their keys instead.
func (s *space) limit(specs []bus.TopicSpec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, spec := range specs {
		n := len(s.cluster.PartitionInfos(spec.Name))
		if spec.Compact || n == 0 {
			continue
		}
		sh := s.share(spec.Name)
		sh.partitions, sh.each = n, s.bytes/int64(n)
		if spec.Bytes > 0 {
			sh.each = min(sh.each, spec.Bytes)
		}
	}
}

func (s *space) consumedBy(group string, topics []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range topics {
		if sh := s.share(t); !slices.Contains(sh.groups, group) {
			sh.groups = append(sh.groups, group)
		}
	}
}

func (s *space) share(topic string) *share {
	sh := s.topics[topic]
	if sh == nil {
		sh = &share{}
		s.topics[topic] = sh
	}
	return sh
}

// wait returns when the topic is not full.
func (s *space) wait(ctx context.Context, topic string) error {
	for {
		s.mu.Lock()
		sh, changed := s.topics[topic], s.changed
		full := sh != nil && sh.full
		s.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ctx.Done():
			return bus.ErrClosed
		}
	}
}

// run looks after the topics until stop.
func (s *space) run(log logrus.FieldLogger) {
	defer close(s.stopped)
	look, tidy := time.NewTicker(lookEvery), time.NewTicker(tidyEvery)
	defer look.Stop()
	defer tidy.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tidy.C:
			s.cluster.Compact() // applies retention by time too
		case <-look.C:
			s.look(log)
		}
	}
}

func (s *space) stop() {
	s.end()
	<-s.stopped
}

// look trims every topic once.
func (s *space) look(log logrus.FieldLogger) {
	s.mu.Lock()
	todo := make(map[string]share, len(s.topics))
	for name, sh := range s.topics {
		if sh.partitions > 0 {
			todo[name] = *sh
		}
	}
	s.mu.Unlock()
	for name, sh := range todo {
		full, err := s.trim(name, sh)
		if err != nil {
			if s.ctx.Err() == nil {
				log.WithError(err).WithField("topic", name).Warn("Embedded broker could not trim a topic")
			}
			continue
		}
		if full && !sh.full {
			log.WithField("topic", name).Warn("Topic of the embedded broker is full; producers wait for its consumers")
		}
		s.setFull(name, full)
	}
}

func (s *space) setFull(topic string, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.topics[topic].full = full
	value := 0.0
	if full {
		value = 1
	}
	s.gauges.full.WithLabelValues(topic).Set(value)
	if !full {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// trim drops what is over a topic's share and consumed by all. It says whether too much is left.
func (s *space) trim(topic string, sh share) (full bool, err error) {
	var done []bus.Position // what each group has committed; asked for only if there is something to trim
	var total int64
	defer func() { s.gauges.bytes.WithLabelValues(topic).Set(float64(total)) }()
	for _, p := range s.cluster.PartitionInfos(topic) {
		total += p.NumBytes
		excess, kept := p.NumBytes-sh.each, p.HighWatermark-p.LogStartOffset
		if excess <= 0 || kept <= 0 {
			continue
		}
		if done == nil {
			if done, err = s.committed(topic, sh.groups); err != nil {
				return sh.full, err
			}
		}
		// Batches are about alike, so the share of the bytes is about that of the offsets; one more for rounding.
		want := p.LogStartOffset + excess*kept/p.NumBytes + 1
		may := min(want, p.HighWatermark)
		for _, d := range done {
			may = min(may, d[int(p.Partition)]) // 0 if the group has committed nothing
		}
		if may > p.LogStartOffset {
			if err := s.cluster.DeleteRecords(topic, p.Partition, may); err != nil {
				return sh.full, err
			}
		}
		full = full || may < want && may < p.HighWatermark
	}
	return full, nil
}

func (s *space) committed(topic string, groups []string) ([]bus.Position, error) {
	out := make([]bus.Position, 0, len(groups))
	for _, g := range groups {
		pos, err := s.commits.Committed(s.ctx, g, topic)
		if err != nil {
			return nil, err
		}
		out = append(out, pos)
	}
	return out, nil
}
