package kafkabus

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
	"imwatch/internal/lag"
)

var _ bus.Lagger = (*consumer)(nil)

// lags is the collector of how far the sessions are behind. Ages are taken when it is asked, so that they grow whatever
// stands still.
type lags struct {
	messages, seconds *prometheus.Desc

	mu       sync.Mutex
	sessions map[*session]struct{}
	known    map[tg]struct{} // shown at 0 when nobody reads any more
}

// tg is a topic and a group that reads it.
type tg struct{ topic, group string }

func newLags() *lags {
	labels := []string{"topic", "group"}
	return &lags{
		messages: prometheus.NewDesc("im_bus_consumer_lag_messages", "Messages behind those handed out, in the partitions that this process reads; the brokers are asked for the ends also while nothing is fetched.", labels, nil),
		seconds:  prometheus.NewDesc("im_bus_consumer_lag_seconds", "How long the oldest message behind those handed out has been there at most, in the partition that is farthest behind; while the brokers do not answer, since when they do not.", labels, nil),
		sessions: map[*session]struct{}{}, known: map[tg]struct{}{},
	}
}

// Describe tells of the two metrics.
func (l *lags) Describe(out chan<- *prometheus.Desc) {
	out <- l.messages
	out <- l.seconds
}

// Collect sums up the sessions.
func (l *lags) Collect(out chan<- prometheus.Metric) {
	now := time.Now()
	type sum struct {
		messages int64
		age      time.Duration
	}
	sums := map[tg]sum{}
	l.mu.Lock()
	for at := range l.known {
		sums[at] = sum{}
	}
	for s := range l.sessions {
		for _, p := range s.lags() {
			at := tg{p.Topic, s.group}
			x := sums[at]
			sums[at] = sum{x.messages + max(0, p.End-p.Next), max(x.age, s.age(place{p.Topic, p.Partition}, now))}
			l.known[at] = struct{}{}
		}
	}
	l.mu.Unlock()
	for at, x := range sums {
		out <- prometheus.MustNewConstMetric(l.messages, prometheus.GaugeValue, float64(x.messages), at.topic, at.group)
		out <- prometheus.MustNewConstMetric(l.seconds, prometheus.GaugeValue, x.age.Seconds(), at.topic, at.group)
	}
}

func (l *lags) add(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[s] = struct{}{}
}

func (l *lags) remove(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sessions, s)
}

// Lags tells how far each partition is behind; see bus.Lagger.
func (c *consumer) Lags() []bus.Lag {
	c.bus.mu.Lock()
	s := c.session
	c.bus.mu.Unlock()
	if s == nil || !s.alive() {
		return nil
	}
	return s.lags()
}

func (s *session) lags() []bus.Lag {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	out := make([]bus.Lag, 0, len(s.reach))
	for at, r := range s.reach {
		l := bus.Lag{
			Topic: at.topic, Partition: at.partition, Next: r.handed.Position(), Committed: r.handed.Position(), End: r.end, Seen: r.seen,
			Until: r.handed.Until(), Stored: r.handed.Until(),
		}
		if s.gen != nil {
			l.Committed, l.Stored = r.stored.Position(), r.stored.Until()
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b bus.Lag) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out
}

func (s *session) age(at place, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reach[at]
	if r == nil {
		return 0
	}
	if until := r.handed.Until(); until.IsZero() && (r.end > r.handed.Position() || now.Sub(r.begun) > 3*s.patience) {
		return max(0, now.Sub(r.begun)) // nothing older is known
	}
	return r.handed.Age(r.end, now, 3*s.patience)
}

// reach is how far a partition has been handed out and committed, and how far it goes.
type reach struct {
	begun          time.Time
	end            int64
	seen           time.Time // when end was, last
	handed, stored lag.Frontier
}

// began notes where the partition's reading begins.
func (s *session) began(at place, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reach[at]
	if r == nil {
		r = &reach{begun: time.Now()}
		s.reach[at] = r
	}
	r.handed.Done(offset)
	r.stored.Done(offset)
	r.end = max(r.end, offset)
}

// sawEnd notes a partition's end, and that all that was produced before asked stands before it.
func (s *session) sawEnd(at place, end int64, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reach[at]
	if r == nil || asked.Before(r.seen) { // it is not known yet where reading begins, or an answer was overtaken
		return
	}
	r.end, r.seen = max(end, r.handed.Position()), asked
	r.handed.Saw(end, asked)
	r.stored.Saw(end, asked)
}

// sawMessage notes that what was produced before a message stands before it.
func (s *session) sawMessage(m *bus.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.reach[place{m.Topic, m.Partition}]; r != nil && !m.Time.IsZero() {
		r.handed.Saw(m.Offset, m.Time)
		r.stored.Saw(m.Offset, m.Time)
		r.end = max(r.end, m.Offset+1)
	}
}

// handedOut notes that the messages of one partition up to offset next have been handed out.
func (s *session) handedOut(at place, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.reach[at]; r != nil {
		r.handed.Done(next)
		r.end = max(r.end, next)
	}
}

// endsEvery is how often the brokers are asked for the ends of what is read. Fetching tells them too, but not while
// nobody takes what was fetched.
const endsEvery = 3 * time.Second

// watchEnds asks for them until ctx ends. What fails is asked again: meanwhile ages grow.
func (b *Bus) watchEnds(ctx context.Context, s *session, topics []string) {
	tick := time.NewTicker(s.patience)
	defer tick.Stop()
	for {
		for _, topic := range topics {
			b.askEnds(ctx, s, topic)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (b *Bus) askEnds(ctx context.Context, s *session, topic string) {
	ctx, cancel := context.WithTimeout(ctx, max(s.patience, b.cfg.RequestTimeout))
	defer cancel()
	asked := time.Now()
	n, err := b.lookup(ctx, topic)
	var ends bus.Position
	if err == nil {
		ends, err = b.listOffsets(ctx, topic, n, kafka.LastOffset)
	}
	if err != nil {
		b.refresh() // the connection may be one from before the broker's restart
		return
	}
	for p, end := range ends {
		s.sawEnd(place{topic, p}, end, asked)
	}
}
