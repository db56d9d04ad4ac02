package detector

import (
	"context"
	"slices"

	"imwatch/detector/rule"
	"imwatch/detector/shard"
)

// asking is the query evaluator where several detectors share the work: whoever has the first shard runs it, and keeps
// its progress beside that shard's state.
type asking struct {
	queries *queries
	cancel  context.CancelFunc
	ended   chan struct{}
}

// ask begins or ends to query, as the first shard is ours or not.
func (s *sharing) ask(ctx context.Context) {
	_, first := s.shards[0]
	switch {
	case s.d.deps.Store == nil:
	case !first:
		s.stopAsking()
	case s.asking != nil:
		s.asking.queries.set(s.queried())
	default:
		ctx, cancel := context.WithCancel(ctx)
		a := &asking{queries: s.d.newQueries(), cancel: cancel, ended: make(chan struct{})}
		a.queries.to = &progressLog{ctx, s.d, shard.NewChangelog(s.d.deps.Bus, shard.StateTopic(s.n), 0, "queries")}
		a.queries.set(s.queried())
		s.asking = a
		s.asked.Store(a.queries)
		go func() {
			defer close(a.ended)
			a.queries.run(ctx)
		}()
	}
}

func (s *sharing) stopAsking() {
	if s.asking == nil {
		return
	}
	s.asking.cancel()
	<-s.asking.ended
	s.asking = nil
	s.asked.Store(nil)
}

// queried gives the rules that may be queried now. The evaluators can be compared only where all that the stream says is
// said here.
func (s *sharing) queried() []*rule.Rule {
	rules := slices.Clone(s.d.book.running)
	if s.alone {
		return rules
	}
	return slices.DeleteFunc(rules, func(r *rule.Rule) bool {
		both := r.Mode == rule.ModeBoth && r.Status != rule.StatusDisabled
		if both {
			s.d.log.WithField("rule", r.ID).Info("the rule's evaluators are not compared: other detectors have shards too")
		}
		return both
	})
}

// progressLog is a Checkpointer for the progress of queries.
type progressLog struct {
	ctx context.Context
	d   *Detector
	log *shard.Changelog
}

// Load gives the progress written last.
func (p *progressLog) Load() ([]byte, error) { return p.log.Load(p.ctx) }

// Save writes it.
func (p *progressLog) Save(b []byte) error {
	return p.log.Save(p.ctx, p.d.deps.Now().UnixNano(), b)
}
