package alerting

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"imwatch/alerting/budget"
	"imwatch/alerting/channel"
	"imwatch/alerting/deliver"
	"imwatch/alerting/desk"
	"imwatch/alerting/flap"
	"imwatch/alerting/inhibit"
	"imwatch/alerting/oncall"
	"imwatch/alerting/outbox"
	"imwatch/alerting/render"
	"imwatch/alerting/route"
	"imwatch/internal/bus"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// Channel is a way to notify. It makes one attempt for each call and is safe for concurrent use; Close gives idle
// resources back. A channel whose provider allows only so many calls also has a method Budget() channel.Budget,
// or Budgets() []channel.Budget where a call counts in several.
type Channel interface {
	deliver.Channel
	Close()
}

// Deps is what the stage works with.
type Deps struct {
	Bus        bus.Bus
	Store      outbox.Store
	Log        logrus.FieldLogger
	Registerer prometheus.Registerer // nil: metrics are not registered
	Now        func() time.Time      // nil: time.Now
	// HTTP is used by the channels that speak HTTP instead of clients of their own, which check certificates and
	// targets; nil: those.
	HTTP *http.Client
	// Out is where the channel stdout writes; nil: standard output.
	Out io.Writer
	// Series gives what charts in mails show; nil: mails have none.
	Series Series
	// Channel makes a receiver's channel; nil: the ones built in.
	Channel func(Receiver) (Channel, error)
}

// Alerter is the stage. Make one with New; Run may be called once. Ready may be called at any time.
type Alerter struct {
	cfg       Config
	bus       bus.Bus
	store     outbox.Store
	ledger    *outbox.Ledger
	log       logrus.FieldLogger
	now       func() time.Time
	tree      *route.Tree
	renderer  *render.Renderer
	receivers map[string]*receiver
	repeats   *repeats
	steps     *steps
	roster    *oncall.Roster
	desk      *desk.Desk
	board     *inhibit.Board
	flaps     *flap.Board
	watchman  *watchman
	lookout   *lookout
	people    *people // of an OpenID Connect provider; nil: there is none
	metrics   *metrics
	line      Line
	state     atomic.Pointer[string] // why it is not ready; nil: it is
}

// receiver is a receiver at work.
type receiver struct {
	cfg      Receiver
	kind     string // of its channel
	language string
	channel  Channel
	folds    bool // several can be told in one message
	queue    *deliver.Queue
	sender   *deliver.Sender
}

// New makes an alerter of a valid configuration. Its errors name what is wrong with cfg.
func New(cfg Config, deps Deps) (*Alerter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	a := &Alerter{
		cfg: cfg, bus: deps.Bus, store: deps.Store, ledger: outbox.New(deps.Store), log: deps.Log, now: deps.Now,
		receivers: map[string]*receiver{}, repeats: newRepeats(), steps: newSteps(), metrics: newMetrics(),
		watchman: newWatchman(deps.Now()), flaps: flap.New(cfg.Flapping), lookout: newLookout(),
	}
	a.metrics.flapping(func() int { return a.flaps.Flapping(a.now()) })
	a.metrics.ages(a.watchman, deps.Now)
	a.notReady("not started")
	var err error
	if a.board, err = inhibit.New(cfg.Inhibit); err != nil {
		return nil, fmt.Errorf("inhibit%w", err)
	}
	if a.desk, err = desk.New(deps.Store, cfg.Silences, deps.Now, deps.Log); err != nil {
		return nil, fmt.Errorf("silences: %w", err)
	}
	if err := a.callOut(); err != nil {
		return nil, err
	}
	a.desk.OnChange(a.release)
	a.metrics.silences(a.desk, deps.Now)
	if a.people, err = newPeople(cfg.API.OIDC, deps); err != nil {
		return nil, err
	}
	if a.people != nil {
		a.metrics.provider(a.people.verifier.Ready)
	}
	if a.tree, err = route.New(cfg.policy()); err != nil {
		return nil, err
	}
	if a.renderer, err = cfg.Renderer(); err != nil {
		return nil, err
	}
	if err := a.addReceivers(deps); err != nil {
		return nil, err
	}
	a.line = Line{StageFunc(a.keep), StageFunc(a.watch), StageFunc(a.route), StageFunc(a.render), StageFunc(a.post)}
	return a, a.metrics.register(deps.Registerer)
}

func (a *Alerter) addReceivers(deps Deps) error {
	build := deps.Channel
	if build == nil {
		m := makings{deps.HTTP, deps.Now, deps.Out, a.chart(deps.Series)}
		build = func(r Receiver) (Channel, error) { return r.kind().build(&r, m) }
	}
	instance := rand.Text()
	paces := map[string]*deliver.Pace{}
	for _, cfg := range a.cfg.Receivers {
		ch, err := build(cfg)
		if err != nil {
			return fmt.Errorf("receiver %s: %w", cfg.Name, err)
		}
		r := &receiver{cfg: cfg, kind: cfg.Channel(), language: cfg.Language, channel: ch, folds: budgetsOf(ch)[0].Fold > 0, queue: deliver.NewQueue()}
		if r.language == "" {
			r.language = a.cfg.Language
		}
		r.sender = &deliver.Sender{
			Config: cfg.delivery(a.cfg.Delivery), Channel: ch, Queue: r.queue, Pace: a.pace(ch, paces, instance), Ledger: a.ledger,
			Observer: observer{a, cfg.Channel()}, Instance: instance, Now: a.now, Log: a.log.WithField("receiver", cfg.Name),
			Fold: a.folder(r, budgetsOf(ch)[0].Fold), Gate: a.gate,
		}
		a.receivers[cfg.Name] = r
		a.metrics.receiver(cfg.Name, r.kind, r.queue.Look, a.now)
	}
	return nil
}

// budgetsOf gives a channel's budgets; the zero Budget where it has none.
func budgetsOf(ch Channel) []channel.Budget {
	switch limited := ch.(type) {
	case interface{ Budget() channel.Budget }:
		return []channel.Budget{limited.Budget()}
	case interface{ Budgets() []channel.Budget }:
		return limited.Budgets()
	}
	return []channel.Budget{{}}
}

// pace gives what a channel's calls are paced by; receivers that call the same robot share it, and other alerters do.
func (a *Alerter) pace(ch Channel, known map[string]*deliver.Pace, instance string) deliver.Paces {
	var all deliver.Paces
	for _, b := range budgetsOf(ch) {
		p := known[b.Key]
		if b.Key == "" || p == nil {
			p = deliver.NewPace(b)
			if b.Key != "" {
				p.Share(budget.NewKeeper(a.store, b.Key, instance, b.Per), a.longestLease())
				known[b.Key] = p
			}
		}
		all = append(all, p)
	}
	return all
}

// longestLease is the longest time between a turn and the end of its call: an attempt whose claim ends is not made.
func (a *Alerter) longestLease() time.Duration {
	longest := a.cfg.Delivery.Lease
	for i := range a.cfg.Receivers {
		longest = max(longest, a.cfg.Receivers[i].delivery(a.cfg.Delivery).Lease)
	}
	return longest
}

func (a *Alerter) notReady(why string) { a.state.Store(&why) }

// Ready says why alerts are not being taken, nil when they are.
func (a *Alerter) Ready() error {
	if why := a.state.Load(); why != nil {
		return errors.New("alerting: " + *why)
	}
	return nil
}
