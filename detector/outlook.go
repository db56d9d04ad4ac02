package detector

import (
	"context"
	"strconv"
	"time"

	"imwatch/detector/shard"
	"imwatch/internal/bus"
)

// outlook is what the broker said of the way to the shards. It is not changed once it is made.
type outlook struct {
	asked  time.Time
	routed map[int]bool // partitions of the source of which all was routed that was there a second before
	ends   bus.Position // of the topic of shards, asked behind that
}

// behind says whether a shard that has come to a position may yet be given events of a partition of the source that
// were there a moment ago. It says yes when that is not known: then nobody in it may be called silent.
func (o *outlook) behind(now time.Time, number int, position int64) func(int) bool {
	unknown := o == nil || now.Sub(o.asked) > 5*endsEvery || position < o.ends[number]
	return func(p int) bool { return unknown || !o.routed[p] }
}

// unread gives how many messages a shard has not read.
func (o *outlook) unread(number int, position int64) int64 {
	if o == nil {
		return 0
	}
	return max(0, o.ends[number]-position)
}

// watch asks the broker every second, and tells it how far our shards have come. While it does not answer nothing is told,
// and what was told grows old.
func (s *sharing) watch(ctx context.Context, claims bus.Claims) {
	var before bus.Position // where the source ended
	for ctx.Err() == nil {
		s.commit(ctx, claims)
		o, ends, err := s.look(ctx, before)
		if err == nil {
			before = ends
			s.outlook.Store(o)
		}
		wait(ctx, endsEvery)
	}
}

// look asks first how far routers have come, and then where shards end: so a shard that has come there was given all of
// a partition whose routing has come to where it ended before.
func (s *sharing) look(ctx context.Context, before bus.Position) (o *outlook, ends bus.Position, err error) {
	b, topic := s.d.deps.Bus, s.d.topic
	o = &outlook{asked: s.d.deps.Now(), routed: map[int]bool{}}
	done, err := b.Committed(ctx, shard.RouterGroup(s.n), topic)
	if err != nil {
		return nil, nil, err
	}
	starts, err := b.Starts(ctx, topic)
	if err != nil {
		return nil, nil, err
	}
	if ends, err = b.Ends(ctx, topic); err != nil {
		return nil, nil, err
	}
	if o.ends, err = b.Ends(ctx, shard.Topic(s.n)); err != nil {
		return nil, nil, err
	}
	for p, end := range ends {
		at := max(starts[p], done[p])
		then, known := before[p]
		o.routed[p] = known && at >= then
		s.d.metrics.behind.WithLabelValues(strconv.Itoa(p)).Set(float64(max(0, end-at)))
	}
	return o, ends, nil
}

// note takes down how far our shards have come.
func (s *sharing) note() {
	at := bus.Position{}
	for n, e := range s.shards {
		e.mu.Lock()
		if e.status.position > 0 && !e.want.paused {
			at[n] = e.status.position
		}
		e.mu.Unlock()
	}
	s.read.Store(&at)
}

// commit tells the group how far our shards have come, for who asks whether evaluation is behind. Where a shard goes on
// its state says, so what cannot be told is told the next time.
func (s *sharing) commit(ctx context.Context, claims bus.Claims) {
	at := s.read.Load()
	if at == nil || len(*at) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, endsEvery)
	defer cancel()
	if err := claims.Commit(ctx, *at); err != nil && ctx.Err() == nil {
		s.d.log.WithError(err).Debug("how far shards have come could not be told")
	}
}
