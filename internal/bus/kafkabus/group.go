package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
)

// member is our membership in a consumer group: it takes part in generation after generation.
type member struct {
	bus      *Bus
	consumer *consumer
	group    string
	cg       *kafka.ConsumerGroup
	conns    *conns         // those of the membership; fetching uses the bus's
	counts   map[string]int // partitions of each topic, as seen before the last joining; the current session's own
	claiming bool           // only which partitions are ours is of interest: nothing is read
	stopped  chan struct{}
	life     context.Context
	end      context.CancelFunc
	retired  sync.WaitGroup // memberships that are being given up

	mu      sync.Mutex
	current *session
	changed chan struct{} // closed and replaced when current is set
}

// Consume joins a group; see bus.Bus. It returns before the group has given us partitions.
func (b *Bus) Consume(ctx context.Context, group string, topics ...string) (bus.Consumer, error) {
	m, err := b.join(ctx, group, false, topics...)
	if err != nil {
		return nil, err
	}
	return m.consumer, nil
}

func (b *Bus) join(ctx context.Context, group string, claiming bool, topics ...string) (*member, error) {
	if group == "" || len(topics) == 0 {
		return nil, errors.New("joining a consumer group: a group name and a topic are needed")
	}
	counts := map[string]int{}
	for _, t := range topics {
		n, err := b.partitions(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("joining the consumer group %q: %w", group, err)
		}
		counts[t] = n
	}
	c, err := b.open(group)
	if err != nil {
		return nil, fmt.Errorf("joining the consumer group %q: %w", group, err)
	}
	m := &member{
		bus: b, consumer: c, group: group, conns: newConns(b.dialer.Timeout),
		counts: counts, claiming: claiming, stopped: make(chan struct{}), changed: make(chan struct{}),
	}
	m.life, m.end = context.WithCancel(b.ctx)
	dialer := b.dialer
	dialer.DialFunc = m.conns.dial
	m.cg, err = kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group, Brokers: b.cfg.Brokers, Dialer: &dialer, Topics: topics,
		GroupBalancers:    []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
		HeartbeatInterval: min(time.Second, b.cfg.SessionTimeout/10),
		SessionTimeout:    b.cfg.SessionTimeout,
		RebalanceTimeout:  b.cfg.SessionTimeout,
		JoinGroupBackoff:  500 * time.Millisecond,
		StartOffset:       kafka.FirstOffset,
		Timeout:           b.cfg.RequestTimeout,
	})
	if err != nil { // only a configuration of ours that kafka-go refuses
		m.end()
		b.forget(c)
		return nil, fmt.Errorf("joining the consumer group %q: %w", group, err)
	}
	c.member, c.leave = m, m.leave
	go m.run()
	return m, nil
}

// run serves one generation after the other.
func (m *member) run() {
	defer close(m.stopped)
	out := m.bus.outage(fmt.Sprintf("joining the consumer group %q", m.group))
	id := "" // what the group knows us by
	for {
		gen, err := m.cg.Next(context.Background()) // ends with the group
		switch {
		case errors.Is(err, kafka.ErrGroupClosed):
			return
		case err != nil && hopeless(err):
			m.consumer.fail(fmt.Errorf("joining the consumer group %q: %w", m.group, err))
			return
		case err != nil:
			out.failed(err)
			if id != "" && !errors.Is(err, kafka.RebalanceInProgress) {
				m.retire(id)
				id = ""
			}
			continue
		}
		out.over()
		id = gen.MemberID
		m.bus.metrics.rebalances.WithLabelValues(m.group).Inc()
		m.begin(gen)
	}
}

// retire tells the group that a former self of ours is gone. After a failure kafka-go joins as somebody new, and the
// group would wait a session timeout for the one it remembers.
func (m *member) retire(id string) {
	m.retired.Go(func() {
		var pause pauser
		for pause.wait(m.life, m.bus.ctx) {
			_, err := m.bus.client.LeaveGroup(m.life, &kafka.LeaveGroupRequest{
				GroupID: m.group, Members: []kafka.LeaveGroupRequestMember{{ID: id}},
			})
			if err == nil {
				return // the group's answer does not matter: it has forgotten the member or does now
			}
			m.bus.refresh()
		}
	})
}

// hopeless tells whether a group refuses us for good. Most of its refusals only say that it is changing.
func hopeless(err error) bool {
	for _, e := range []kafka.Error{
		kafka.GroupAuthorizationFailed, kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed,
		kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.InvalidSessionTimeout,
		kafka.InvalidGroupId, kafka.InconsistentGroupProtocol, kafka.UnsupportedVersion,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var refused kafka.Error
	return !errors.As(err, &refused) && permanent(err)
}

// begin makes the generation the current session and reads its partitions until it ends. kafka-go does not go on to
// the next generation before that.
func (m *member) begin(gen *kafka.Generation) {
	s := m.consumer.newSession()
	s.gen = gen
	var readers []*reader
	for topic, as := range gen.Assignments {
		for _, a := range as {
			at := place{topic, a.ID}
			s.committed[at] = max(a.Offset, 0)
			if a.Offset >= 0 && !m.claiming {
				s.began(at, a.Offset)
			}
			if m.claiming {
				continue
			}
			readers = append(readers, &reader{
				place: at, bus: m.bus, session: s, group: m.group, offset: a.Offset, out: m.consumer.in,
			})
		}
	}
	var life context.Context
	life, s.abort = context.WithCancel(m.bus.ctx)
	m.show(s)
	gen.Start(func(genCtx context.Context) {
		defer context.AfterFunc(genCtx, s.abort)()
		var wg sync.WaitGroup
		for _, r := range readers {
			r.bytes = m.bus.share(len(readers))
			wg.Go(func() { r.run(life) })
		}
		wg.Go(func() { m.watch(life, s) })
		if len(readers) > 0 {
			wg.Go(func() { m.bus.watchEnds(life, s, slices.Sorted(maps.Keys(gen.Assignments))) })
		}
		<-life.Done()
		s.end()
		wg.Wait()
	})
}

// watch ends the session when partitions were added to a topic, so that the group shares them out. kafka-go's own
// watch counts too late: it misses those that are added while the group forms.
func (m *member) watch(ctx context.Context, s *session) {
	tick := time.NewTicker(m.bus.watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for topic, before := range m.counts {
			if n, err := m.bus.lookup(ctx, topic); err == nil && n > before {
				m.counts[topic] = n
				s.abort()
			}
		}
	}
}

func (m *member) show(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current = s
	close(m.changed)
	m.changed = make(chan struct{})
}

// leave leaves the group, which hands our partitions to others at once. A group that does not answer is left to find
// out by itself.
func (m *member) leave() {
	const grace = 3 * time.Second
	sever := time.AfterFunc(grace, m.conns.close)
	_ = m.cg.Close() // it returns no error
	<-m.stopped
	m.end()
	m.retired.Wait()
	sever.Stop()
	m.conns.close()
}
