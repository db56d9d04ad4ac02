package alerting

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
	"imwatch/event/canary"
	"imwatch/event/filter"
	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// DeadManRule is the rule id of the alert that no detector lives.
const DeadManRule = "imwatch-dead-man"

// watchman watches, beside the alerts, whether a detector lives and whether the whole way is open. Its switch belongs
// to runCanaries once that runs.
type watchman struct {
	made   time.Time
	man    canary.DeadMan // of the detectors' pulses
	way    canary.DeadMan // knows the canaries; the detector raises the alert about them
	passed chan time.Time // when canaries were sent that wait for their turn
	turn   chan struct{}  // held, by what lies in it, while alerts from the bus are decided
	pulse  atomic.Int64   // when the newest pulse was sent, ns; the start before the first
	canary atomic.Int64   // when the newest canary was sent that came through, ns; the start before the first
}

func newWatchman(now time.Time) *watchman {
	w := &watchman{made: now, passed: make(chan time.Time, 64), turn: make(chan struct{}, 1), man: canary.DeadMan{
		RuleID: DeadManRule, Title: "No detector lives", Back: "a detector lives again",
		Lost: "no detector has been heard of: it is dead, or Kafka is away, and no rule is evaluated",
	}}
	w.pulse.Store(now.UnixNano())
	w.canary.Store(now.UnixNano())
	return w
}

const (
	lookEvery   = time.Second      // how often it is looked whether a detector lives
	openAgain   = 10 * time.Second // before a topic that cannot be read is tried again
	warnAgain   = 10 * time.Minute
	canaryFetch = 1000
)

// runCanaries watches until ctx ends. It reads the topic outside the group, so that every alerter sees every pulse:
// they raise the same alert, and people are told once.
func (a *Alerter) runCanaries(ctx context.Context) {
	a.watchman.man.Started = a.now()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	found := make(chan []bus.Message)
	helpers.Go(func() { a.readCanaries(ctx, found) })
	helpers.Go(func() { a.passCanaries(ctx) })
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case ms := <-found:
			a.takeCanaries(ctx, ms)
			continue
		case <-look.C:
		case <-ctx.Done():
			return
		}
		select { // what has come already is looked at first
		case ms := <-found:
			a.takeCanaries(ctx, ms)
		default:
			a.tell(ctx, a.watchman.man.Tick(a.now()))
		}
	}
}

// readCanaries reads the topic from its newest record on, again and again where that fails.
func (a *Alerter) readCanaries(ctx context.Context, out chan<- []bus.Message) {
	var warned time.Time
	for ctx.Err() == nil {
		err := a.readCanariesOnce(ctx, out)
		if now := a.now(); err != nil && ctx.Err() == nil && now.Sub(warned) >= warnAgain {
			warned = now
			a.log.WithError(err).Warnf("%s cannot be read: whether a detector lives is not known (imwatch setup makes the topic)", bus.TopicCanary)
		}
		pause(ctx, openAgain)
	}
}

func (a *Alerter) readCanariesOnce(ctx context.Context, out chan<- []bus.Message) error {
	from, err := a.bus.Ends(ctx, bus.TopicCanary)
	if err != nil {
		return fmt.Errorf("asking where %s ends: %w", bus.TopicCanary, err)
	}
	for p := range from { // the newest pulse may be older than this process, and is missed all the same
		from[p] = max(0, from[p]-newest)
	}
	consumer, err := a.bus.Read(ctx, bus.TopicCanary, from)
	if err != nil {
		return fmt.Errorf("reading %s: %w", bus.TopicCanary, err)
	}
	defer func() { _ = consumer.Close() }() // it has nothing to lose
	for {
		ms, err := consumer.Fetch(ctx, canaryFetch)
		if err != nil {
			return fmt.Errorf("reading %s: %w", bus.TopicCanary, err)
		}
		select {
		case out <- ms:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// newest is how many of the newest records are read at the start: among them are pulses of each detector.
const newest = 100

func (a *Alerter) takeCanaries(ctx context.Context, ms []bus.Message) {
	w, now := a.watchman, a.now()
	for i := range ms {
		var e event.Event
		if err := event.Decode(ms[i].Value, &e); err != nil || !canary.Is(&e) {
			a.log.WithField("offset", ms[i].Offset).Debugf("a record of %s is no canary", bus.TopicCanary)
			continue
		}
		if e.Text(event.FieldServiceName) == canary.Detector {
			newer, resolved := w.man.Take(&e, now)
			if newer {
				w.pulse.Store(max(w.pulse.Load(), e.UnixNano()))
			}
			a.tell(ctx, resolved)
			continue
		}
		if newer, _ := w.way.Take(&e, now); newer {
			select {
			case w.passed <- e.Time():
			default: // so many wait that one more says nothing new
			}
		}
	}
}

// passCanaries lets each canary take its turn between two batches of alerts: where these cannot be decided, it has not
// come through.
func (a *Alerter) passCanaries(ctx context.Context) {
	w := a.watchman
	for {
		select {
		case sent := <-w.passed:
			select {
			case w.turn <- struct{}{}:
				<-w.turn
			case <-ctx.Done():
				return
			}
			now := a.now()
			w.canary.Store(max(w.canary.Load(), sent.UnixNano()))
			if !sent.Before(w.made) { // those from before were on their way while nobody was here
				a.metrics.canary.Observe(max(0, now.Sub(sent).Seconds()))
			}
		case <-ctx.Done():
			return
		}
	}
}

// tell brings alerts of this stage's own to people, as if they had come from the bus. What was told is recognised.
func (a *Alerter) tell(ctx context.Context, alerts []*event.Alert) {
	for _, alert := range alerts {
		line, err := alert.MarshalJSON()
		if err != nil {
			a.log.WithError(err).Error("an alert of alerting itself cannot be told")
			continue
		}
		it := Item{Alert: *alert, Line: line, Kind: channel.Kind(alert.State), Moment: alert.Time}
		a.log.WithField("alert", alert.ID).WithField("state", alert.State).Warn(alert.Annotations["summary"])
		a.again(ctx, "telling an alert of "+alert.RuleID, nil, func(ctx context.Context) error {
			_, err := a.line.Exec(ctx, []Item{it})
			return err
		})
	}
}

// owed is how long after its end an alert of this stage may still have to be told: its alerter may have died between
// keeping it and deciding who is told, and no bus brings it again.
const owed = time.Hour

// findOwn takes over the alerts of a rule of this stage's own that an alerter before raised, and goes the whole line with
// them again.
func (a *Alerter) findOwn(ctx context.Context, rule string, adopt func(*event.Alert)) error {
	id := event.FieldByID(event.FieldRuleID)
	q := store.Query{Indices: event.AlertIndices, Where: filter.Equal{
		Field: filter.Field{Name: id.Name, ID: id.ID, Type: id.Type}, Value: event.KeywordValue(rule),
	}}
	var found []*event.Alert
	for hit, err := range a.store.Search(ctx, q) {
		if err != nil {
			return fmt.Errorf("looking for alerts of alerting itself: %w", err)
		}
		k, err := readKept(hit.Body)
		if err != nil || k.alert.State == event.StateResolved && a.now().Sub(k.alert.Time) > owed {
			continue // one that cannot be read was told of by findFiring
		}
		if k.alert.State != event.StateResolved {
			adopt(&k.alert)
		}
		found = append(found, &k.alert)
	}
	a.tell(ctx, found)
	return nil
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
