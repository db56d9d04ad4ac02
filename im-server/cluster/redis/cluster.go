package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
	"imwatch/im-server/cluster/journal"
)

// ErrLost says that Redis is lost: try again, or go on alone.
var ErrLost = errors.New("redis is lost")

// Cluster is a node's part in a cluster on Redis. Make it with New, Bind it, Run it; calls wait until Run has looked for
// Redis once. Safe for concurrent use.
type Cluster struct {
	cfg      Config
	opts     cluster.Options
	keys     keys
	member   string
	client   goredis.UniversalClient
	several  bool // Redis Cluster: what PUBLISH counts is one server's receivers
	scripts  *scripts
	receiver cluster.Receiver
	journal  *journal.Journal // nil: there is none

	breaker  *breaker
	order    stripes // the Receiver is told of one topic by one goroutine at a time
	handed   handed
	lane     *lane
	feed     *feed
	own      *own
	calls    *calls
	metrics  *metrics
	leased   atomic.Bool
	leaseTTL atomic.Int64
	buried   *cluster.Dead // others have taken this node for dead, and Renew has not said so yet; Renew's alone

	slots      chan struct{} // holds one for each call that is being made
	looked     chan struct{} // closed when Redis was looked for once
	lookedOnce sync.Once
	answered   chan struct{} // closed when that has given whether it is there
	answerOnce sync.Once
	done       chan struct{} // closed when Run has ended
	closeOnce  sync.Once
}

var _ cluster.Cluster = (*Cluster)(nil)

// New makes a cluster of the nodes that share cfg's Redis and prefix, opens the journal and registers metrics with reg
// (nil: none). It does not need Redis to be there. Run it, or Close it.
func New(cfg Config, opts cluster.Options, reg prometheus.Registerer) (*Cluster, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	client, err := cfg.client()
	if err != nil {
		return nil, err
	}
	s, err := loadScripts()
	if err != nil {
		return nil, fmt.Errorf("reading the scripts: %w", err)
	}
	_, several := client.(*goredis.ClusterClient)
	c := &Cluster{
		cfg: cfg, opts: opts, keys: keys{cfg.Prefix}, member: member(opts.Node, opts.Boot), client: client, several: several, scripts: s,
		slots: make(chan struct{}, cfg.Connections), looked: make(chan struct{}), answered: make(chan struct{}), done: make(chan struct{}),
	}
	c.breaker = newBreaker(cfg.Failures, cfg.Timeout)
	c.lane, c.feed, c.own, c.calls = newLane(c), newFeed(c), newOwn(), newCalls(c)
	if err := c.open(reg); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) open(reg prometheus.Registerer) error {
	if c.cfg.Journal != "" {
		j, err := journal.Open(c.cfg.Journal, c.cfg.JournalBytes)
		if err != nil {
			return err
		}
		c.journal = j
		if err := c.remember(); err != nil {
			return err
		}
	}
	c.metrics = newMetrics(c)
	return c.metrics.register(reg)
}

// Bind implements cluster.Cluster.
func (c *Cluster) Bind(r cluster.Receiver) { c.receiver = r }

// Ready implements cluster.Cluster.
func (c *Cluster) Ready() bool {
	select {
	case <-c.done:
		return false
	default:
		return c.breaker.up()
	}
}

// Run implements cluster.Cluster. An error means that the journal cannot be used.
func (c *Cluster) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var work sync.WaitGroup
	work.Go(func() { c.watch(ctx) })
	work.Go(func() { c.feed.run(ctx) })
	work.Go(func() { c.feed.recheck(ctx) })
	work.Go(func() { c.lane.run(ctx) })
	work.Wait()
	c.calls.wait()
	return c.Close()
}

// Close gives up what New took. Run does it at its end.
func (c *Cluster) Close() error {
	var err error
	c.closeOnce.Do(func() {
		close(c.done)
		err = c.client.Close()
		if c.journal != nil {
			err = errors.Join(err, c.journal.Close())
		}
	})
	return err
}

// do makes one call to Redis: it fails at once when Redis is lost, and tells the breaker how it went.
func (c *Cluster) do(ctx context.Context, what string, call func(context.Context) error) error {
	return c.make(ctx, what, c.looked, c.breaker.refuse, call)
}

// doSoon is do for what says that this node lives: it does not wait until the journal is replayed, which may take longer
// than a lease.
func (c *Cluster) doSoon(ctx context.Context, what string, call func(context.Context) error) error {
	return c.make(ctx, what, c.answered, c.breaker.refuseOpen, call)
}

func (c *Cluster) make(ctx context.Context, what string, begun <-chan struct{}, refuse func() error, call func(context.Context) error) error {
	if err := c.await(ctx, begun); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := refuse(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := c.enterQueue(ctx, refuse); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() { <-c.slots }()
	began := time.Now()
	err := call(ctx)
	if stale(err) {
		err = call(ctx) // each call may be made twice
	}
	if missingScript(err) {
		if err = c.scripts.load(ctx, c.client); err == nil {
			err = call(ctx)
		}
	}
	c.metrics.took(what, time.Since(began), err)
	c.note(ctx, err)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// enterQueue waits for a place among the calls that are made at a time: thousands of clients that come back at once must
// not take the time that Redis has to answer, and make it look lost.
func (c *Cluster) enterQueue(ctx context.Context, refuse func() error) error {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := refuse(); err != nil { // meanwhile
		<-c.slots
		return err
	}
	return nil
}

// await waits until Redis was looked for once.
func (c *Cluster) await(ctx context.Context, begun <-chan struct{}) error {
	select {
	case <-c.done:
		return cluster.ErrClosed
	default:
	}
	select {
	case <-begun:
		return nil
	case <-c.done:
		return cluster.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note tells the breaker of a call's end. What the caller's own haste ended says nothing of Redis.
func (c *Cluster) note(ctx context.Context, err error) {
	switch {
	case !unavailable(err):
		c.breaker.succeeded()
	case ctx.Err() == nil:
		c.breaker.failed(err)
	}
}

// newEpoch makes a name that no topic had before.
func newEpoch() string { return rand.Text()[:16] }

// stripes are locks for names.
type stripes [64]sync.Mutex

func (s *stripes) of(name string) *sync.Mutex {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return &s[h%uint32(len(s))]
}
