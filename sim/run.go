package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"imwatch/client"

	"github.com/sirupsen/logrus"
)

// Options says where and how [Run] plays a scenario. Target, Scenario and Tokens are needed.
type Options struct {
	Target   []string // ws:// or wss:// addresses, one a node; clients are spread over them and try the next when one is away
	Scenario Scenario
	Seed     uint64 // of everything that is drawn
	Tokens   TokenSource
	Log      logrus.FieldLogger // nil: silent

	// Nodes stops and starts servers. nil: a scenario that stops nodes is refused.
	Nodes NodeController
	// NodeNames are the service.node.name of the targets, for labels; empty: labels of one node have no key.
	NodeNames []string
	// Progress, if not nil, is called each second and whenever a trouble begins, by one goroutine at a time.
	Progress func(Progress)
}

// NodeController stops and starts the servers of a run. Node is an index into Options.Target.
type NodeController interface {
	Stop(ctx context.Context, node int, kill bool) error // drains and stops it, or kills it; returns when it is down
	Start(ctx context.Context, node int) error
}

// Progress is a moment of a run.
type Progress struct {
	At       time.Duration // since the start
	Online   int64         // connections that are up
	Connects int64
	Failures int64
	Lost     int64
	Sent     int64
	Received int64
	Trouble  *Trouble // the one that begins now; nil: none
}

// Run drives real connections as the scenario says and returns when its duration is over or the context ends, with all
// connections closed; then the report is whole and the error nil. On one machine each client has a source address of its
// own (127.1.0.1 and so on) where the system allows it. Troubles that only servers can make ([Errors], [Panic]) are
// refused: they can only be generated.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := o.validate(); err != nil {
		return Report{}, err
	}
	r := newRunner(ctx, o)
	r.play(ctx)
	return r.report(), r.firstError()
}

func (o Options) validate() error {
	errs := []error{o.Scenario.Validate()}
	if len(o.Target) == 0 {
		errs = append(errs, errors.New("target: none, at least one ws:// or wss:// address is needed"))
	}
	if o.Tokens == nil {
		errs = append(errs, errors.New("tokens: none, clients need something to show"))
	}
	if n := len(o.NodeNames); n > 0 && n != len(o.Target) {
		errs = append(errs, fmt.Errorf("node names: %d for %d targets", n, len(o.Target)))
	}
	for i, t := range o.Scenario.Troubles {
		switch t.Kind {
		case Errors, Panic:
			errs = append(errs, fmt.Errorf("scenario %q: trouble %d (%s) is made by servers; it can only be generated", o.Scenario.Name, i+1, t.Kind))
		case NodeStop, NodeKill:
			if o.Nodes == nil {
				errs = append(errs, fmt.Errorf("scenario %q: trouble %d (%s) needs control over the servers; it can be generated", o.Scenario.Name, i+1, t.Kind))
			}
			if t.Node >= len(o.Target) {
				errs = append(errs, fmt.Errorf("scenario %q: trouble %d (%s): node is %d, there are %d targets", o.Scenario.Name, i+1, t.Kind, t.Node, len(o.Target)))
			}
		case BadTokens, Silent, Hammer, Reset, SharedAddr:
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("simulation: %w", err)
	}
	return nil
}

// runner is one Run.
type runner struct {
	Options
	addr    addresses
	start   time.Time
	users   []*person
	tallies []*tally // normal clients, then troubles
	actors  sync.WaitGroup

	mu     sync.Mutex // guards the fields below, and calls of Progress
	labels []Label
	err    error
}

func newRunner(ctx context.Context, o Options) *runner {
	if o.Log == nil {
		l := logrus.New()
		l.SetOutput(io.Discard)
		o.Log = l
	}
	r := &runner{Options: o, addr: addresses{spread: canSpread(ctx, o.Target)}, start: time.Now()}
	if !r.addr.spread {
		r.Log.Warn("clients share this machine's address: rules by client.ip see one client")
	}
	r.tallies = append(r.tallies, newTally("users"))
	for _, t := range o.Scenario.Troubles {
		r.tallies = append(r.tallies, newTally(string(t.Kind)))
	}
	for i := range o.Scenario.Users {
		r.users = append(r.users, r.newPerson(i))
	}
	return r
}

// play runs the timeline and returns when every actor is gone.
func (r *runner) play(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.Scenario.Duration)
	defer cancel()
	for i, p := range r.users {
		ramp := time.Duration(float64(r.Scenario.Ramp) / float64(len(r.users)) * float64(i))
		r.actors.Go(func() {
			if sleep(ctx, ramp) {
				p.live(ctx)
			}
		})
	}
	for i, t := range r.Scenario.Troubles {
		r.actors.Go(func() {
			if sleep(ctx, t.At) {
				r.Log.WithFields(logrus.Fields{"trouble": string(t.Kind), "at": t.At.String()}).Info("trouble begins")
				r.progress(&t)
				r.trouble(ctx, i, t)
			}
		})
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			r.progress(nil)
		case <-ctx.Done():
		}
	}
	r.actors.Wait()
}

func (r *runner) progress(t *Trouble) {
	if r.Progress == nil {
		return
	}
	p := Progress{At: time.Since(r.start), Trouble: t}
	for _, a := range r.tallies {
		p.Online += a.online.Load()
		p.Connects += a.connects.Load()
		p.Failures += a.failures.Load()
		p.Lost += a.lost.Load()
		p.Sent += a.sent.Load()
		p.Received += a.received.Load()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Progress(p)
}

func (r *runner) label(l Label) {
	l.Scenario = r.Scenario.Name
	r.mu.Lock()
	defer r.mu.Unlock()
	r.labels = append(r.labels, l)
}

// fail keeps the first fault of the simulation itself; what servers do to clients is counted, not an error.
func (r *runner) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func (r *runner) firstError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *runner) report() Report {
	now := time.Now().UTC()
	rep := Report{Scenario: r.Scenario.Name, From: r.start.UTC(), To: now}
	for _, t := range r.tallies {
		rep.Actors = append(rep.Actors, t.report())
	}
	rep.Labels = append([]Label{{Scenario: rep.Scenario, Kind: Benign, From: rep.From, To: now}}, r.labels...)
	return rep
}

// client gives the options that all clients share. node is the target that is tried first.
func (r *runner) client(account, fault string, node int, dial netDial) client.Options {
	p := platforms()[len(account)%len(platforms())]
	return client.Options{
		URL: r.Target[node%len(r.Target)], Device: "d-" + account, Platform: p.name, AppVersion: p.version, UserAgent: p.agent,
		Token:   func(context.Context) (string, error) { return r.Tokens.Token(account, fault) },
		NetDial: dial, Log: r.Log,
	}
}

// nodeKey gives the key of a label about one node, nil where the nodes' names are not known.
func (r *runner) nodeKey(node int) map[string]string {
	if len(r.NodeNames) == 0 {
		return nil
	}
	return map[string]string{fieldNode: r.NodeNames[node%len(r.NodeNames)]}
}

func (r *runner) rng(stream int) *rand.Rand {
	return rand.New(rand.NewPCG(r.Seed, uint64(stream))) //nolint:gosec // repeatable on purpose
}

// sleep waits, and says whether the time passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
