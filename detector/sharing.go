package detector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/shard"
	"imwatch/internal/bus"
)

// sharing is a detector's part in the work of several: it routes events to the shards that they concern, and evaluates
// the shards that the group has given to it. Its loop is the one goroutine that touches it, but for what is said to be
// otherwise.
type sharing struct {
	d       *Detector
	n       int // shards
	metrics *shardMetrics
	outlook atomic.Pointer[outlook]      // what the broker said last; any goroutine
	read    atomic.Pointer[bus.Position] // how far our shards have come; any goroutine
	rules   *ruleset
	routed  chan *ruleset // to the router, the newest only
	shards  map[int]*evaluator
	running sync.WaitGroup          // of shards
	failed  chan error              // of a shard or the router, one that waiting does not cure
	asking  *asking                 // nil while another detector has the queries
	asked   atomic.Pointer[queries] // those of asking; any goroutine
	total   map[string]engine.Usage // what all shards that were ours took since the start
	told    map[string]engine.Usage // what was shown of it
	usedAt  time.Time
	alone   bool // every shard is ours
}

// ruleset is what shards and router run by. It is not changed once it is made.
type ruleset struct {
	rules   []*rule.Rule
	refused []refusal
	version uint64
}

// newRuleset makes the rules as one shard runs them: each shard has its part of a rule's keys, and so of their limit.
func (d *Detector) newRuleset() (*ruleset, error) {
	set := &ruleset{refused: slices.Clone(d.book.refused)}
	for _, r := range d.streamed() {
		part := *r
		part.Limits.Keys = partOf(r.Limits.Keys, d.cfg.Shards)
		set.rules = append(set.rules, &part)
	}
	routes, err := engine.NewRoutes(set.rules, d.cfg.Shards)
	if err != nil {
		return nil, err
	}
	set.version = routes.Version()
	return set, nil
}

// partOf gives how many of so many keys one of n shards may have. Keys do not fall on shards evenly: five standard
// deviations more than the mean are enough for all of them.
func partOf(keys, n int) int {
	mean := float64(keys) / float64(n)
	return min(keys, int(math.Ceil(mean+5*math.Sqrt(mean))))
}

// runShared is Run where several detectors share the work.
func (d *Detector) runShared(ctx context.Context) error {
	s, err := newSharing(d)
	if err != nil {
		return fmt.Errorf("starting the detector: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	claims, err := s.join(ctx)
	if err != nil || claims == nil {
		return err
	}
	defer claims.Close()
	claimed := make(chan bus.Claim)
	helpers.Go(func() { s.claim(ctx, claims, claimed) })
	helpers.Go(func() { s.watch(ctx, claims) })
	helpers.Go(func() { s.fail(ctx, s.route(ctx)) })
	d.log.WithField("shards", s.n).Info("detector is running, sharing the work with others")
	err = s.loop(ctx, claimed)
	if ctx.Err() != nil {
		s.release(errStopped) // while the shards are still ours
		return nil
	}
	s.release(errDropped)
	return err
}

func newSharing(d *Detector) (*sharing, error) {
	m, err := newShardMetrics(d.deps.Registerer)
	if err != nil {
		return nil, err
	}
	s := &sharing{
		d: d, n: d.cfg.Shards, metrics: m, routed: make(chan *ruleset, 1), shards: map[int]*evaluator{}, total: map[string]engine.Usage{},
		failed: make(chan error, 1),
	}
	if s.rules, err = d.newRuleset(); err != nil {
		return nil, err
	}
	s.routed <- s.rules
	return s, nil
}

// errTopic is for topics of shards that are not as they have to be.
var errTopic = errors.New("topics of shards")

// join waits for the broker and for the topics, and joins the group; nil when ctx ends first.
func (s *sharing) join(ctx context.Context) (bus.Claims, error) {
	for told := false; ; told = true {
		claims, err := s.tryJoin(ctx)
		switch {
		case err == nil:
			return claims, nil
		case ctx.Err() != nil:
			return nil, nil //nolint:nilnil,nilerr // ended before there was anything to do
		case errors.Is(err, bus.ErrClosed), errors.Is(err, errTopic):
			return nil, err
		case !told && errors.Is(err, bus.ErrUnknownTopic):
			s.d.log.WithError(err).Warn("waiting for the topics of shards: imwatch setup makes them")
		case !told:
			s.d.log.WithError(err).Warn("waiting for the broker")
		}
		wait(ctx, retryAfter)
	}
}

func (s *sharing) tryJoin(ctx context.Context) (bus.Claims, error) {
	for _, topic := range []string{shard.Topic(s.n), shard.StateTopic(s.n)} {
		ends, err := s.d.deps.Bus.Ends(ctx, topic)
		if err != nil {
			return nil, fmt.Errorf("asking where %s ends: %w", topic, err)
		}
		if len(ends) != s.n {
			return nil, fmt.Errorf("%w: %s has %d partitions, and detector.shards is %d: they must be the same number", errTopic, topic, len(ends), s.n)
		}
	}
	return s.d.deps.Bus.Claims(ctx, shard.Group(s.n), shard.Topic(s.n))
}

// claim hands shares on as the group gives them out.
func (s *sharing) claim(ctx context.Context, claims bus.Claims, out chan<- bus.Claim) {
	for {
		c, err := claims.Next(ctx)
		if err != nil {
			s.fail(ctx, fmt.Errorf("sharing the work: %w", err))
			return
		}
		select {
		case out <- c:
		case <-ctx.Done():
			return
		}
	}
}

// fail ends the loop with an error, unless ctx has ended. Safe for concurrent use.
func (s *sharing) fail(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	select {
	case s.failed <- err:
	default: // one is enough
	}
}

func (s *sharing) loop(ctx context.Context, claimed <-chan bus.Claim) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	look := &looks{every: s.d.cfg.ReloadEvery, next: s.d.deps.Now().Add(s.d.cfg.ReloadEvery)}
	var lost <-chan struct{}
	for {
		select {
		case c := <-claimed:
			lost = c.Lost
			s.take(ctx, c.Partitions)
		case <-lost: // until the group has settled whose they are
			lost = nil
			s.pause()
		case <-tick.C:
			s.tick(look)
		case <-s.d.reloads:
			s.reload()
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// take makes these shards ours: others are dropped, those that we had go on, and the rest are restored.
func (s *sharing) take(ctx context.Context, numbers []int) {
	for n, e := range s.shards {
		if !slices.Contains(numbers, n) {
			e.end(errDropped)
			<-e.ended
			delete(s.shards, n)
		}
	}
	for _, n := range numbers {
		if e := s.shards[n]; e != nil {
			e.set(control{paused: false, rules: s.rules})
			continue
		}
		e := newEvaluator(s, n)
		s.shards[n] = e
		s.running.Go(func() { s.fail(ctx, e.run()) })
	}
	s.d.log.WithField("shards", numbers).Info("shards are ours")
	s.metrics.owned.Set(float64(len(numbers)))
	s.metrics.forget(numbers)
	if alone := len(numbers) == s.n; alone != s.alone {
		s.alone = alone
		s.d.compare.reset()
	}
	s.ask(ctx)
}

func (s *sharing) pause() {
	for _, e := range s.shards {
		e.set(control{paused: true, rules: s.rules})
	}
}

// release ends all shards and waits for them.
func (s *sharing) release(why error) {
	s.stopAsking()
	for _, e := range s.shards {
		e.end(why)
	}
	s.running.Wait()
}

// tick does what depends on wall time and concerns the whole process.
func (s *sharing) tick(look *looks) {
	now := s.d.deps.Now()
	if !now.Before(s.d.tellAt) {
		s.d.tellAt = now.Add(tellEvery)
		s.tell()
	}
	s.lag()
	s.note()
	s.publish(now)
	if !look.due(now) {
		return
	}
	if sign := s.d.book.signature(); sign != s.d.signature {
		s.d.signature = sign
		s.reload()
	}
}

// reload reads the rule files anew and hands the rules to router and shards.
func (s *sharing) reload() {
	before := s.d.book.running
	s.d.book.load()
	s.d.tellRules()
	set, err := s.d.newRuleset()
	if err != nil { // load has asked for each: it cannot be
		s.d.log.WithError(err).Error("rules could not be set: those before go on running")
		s.d.book.running = before
		return
	}
	s.rules = set
	select {
	case <-s.routed: // it was not taken up yet
	default:
	}
	s.routed <- set
	for _, e := range s.shards {
		e.set(control{paused: e.wanted().paused, rules: set})
	}
	if s.asking != nil {
		s.asking.queries.set(s.queried())
	}
	s.d.metrics.keys.Reset()
}
