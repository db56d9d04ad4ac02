package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/silence"
	"imwatch/event"
	"imwatch/internal/bus"
)

// The pauses after a failed call of the store or the bus.
const (
	firstPause = time.Second
	maxPause   = 30 * time.Second
)

// Run works until ctx ends, and then returns nil once attempts under way are finished or StopTimeout has passed.
// What is not sent by then stands in the outbox. It returns an error when the bus cannot be read.
func (a *Alerter) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	hard, kill := linger(ctx, a.cfg.StopTimeout)
	var wg sync.WaitGroup
	defer func() {
		a.notReady("stopped")
		stop()
		wg.Wait()
		kill()
		for _, r := range a.receivers {
			r.channel.Close()
		}
	}()
	if !a.insist(ctx, "reading the outbox", a.restore) {
		return nil
	}
	wg.Go(func() { a.desk.Run(ctx, a.cfg.Refresh) })
	if len(a.cfg.Inhibit) > 0 || a.cfg.Flapping.On() {
		wg.Go(func() { a.follow(ctx) })
	}
	for _, r := range a.receivers {
		wg.Go(func() { r.sender.Run(ctx, hard) })
	}
	wg.Go(func() { a.runSweeps(ctx) })
	wg.Go(func() { a.runRepeats(ctx) })
	wg.Go(func() { a.runSteps(ctx) })
	if !a.cfg.OnCall.IsZero() {
		wg.Go(func() { a.roster.Watch(ctx, calendarLook, a.now, a.log) })
	}
	wg.Go(func() { a.runCanaries(ctx) })
	wg.Go(func() { a.runLookout(ctx) })
	if a.people != nil {
		wg.Go(func() { a.people.run(ctx) })
	}
	return a.consume(ctx)
}

// linger gives a context that ends d after ctx, or when kill is called.
func linger(ctx context.Context, d time.Duration) (hard context.Context, kill context.CancelFunc) {
	hard, kill = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			kill()
		case <-hard.Done():
		}
	})
	return hard, kill
}

// restore learns from the store what is to be sent and what fires.
func (a *Alerter) restore(ctx context.Context) error {
	if err := a.findPending(ctx); err != nil {
		return err
	}
	if err := a.findFiring(ctx); err != nil {
		return err
	}
	if err := a.findFlapping(ctx); err != nil {
		return err
	}
	if err := a.desk.Load(ctx); err != nil { // before anything is told
		return fmt.Errorf("reading silences: %w", err)
	}
	if err := a.findOwn(ctx, DeadManRule, a.watchman.man.Adopt); err != nil {
		return err
	}
	return a.findOwn(ctx, silence.EndsRule, a.lookout.adopt)
}

// insist calls do until it succeeds, with growing pauses; false: ctx has ended.
func (a *Alerter) insist(ctx context.Context, doing string, do func(context.Context) error) bool {
	return a.again(ctx, doing, func() { a.notReady(doing + " fails") }, do)
}

// again is insist for what says nothing about readiness: failed is called at each failure, if it is not nil.
func (a *Alerter) again(ctx context.Context, doing string, failed func(), do func(context.Context) error) bool {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := do(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if failed != nil {
			failed()
		}
		a.log.WithError(err).Errorf("%s failed, trying again in %v", doing, pause)
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return false
		case <-t.C:
		}
	}
}

// decide runs the line on the items of a batch; false: ctx has ended.
func (a *Alerter) decide(ctx context.Context, items []Item) bool {
	select {
	case a.watchman.turn <- struct{}{}:
		defer func() { <-a.watchman.turn }()
	case <-ctx.Done():
		return false
	}
	for _, round := range rounds(items) {
		if !a.insist(ctx, "deciding about alerts", func(ctx context.Context) error {
			_, err := a.line.Exec(ctx, append([]Item(nil), round...))
			return err
		}) {
			return false
		}
	}
	return true
}

func (a *Alerter) consume(ctx context.Context) error {
	consumer, err := a.bus.Consume(ctx, a.cfg.Group, bus.TopicAlerts)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("joining the group %s: %w", a.cfg.Group, err)
	}
	defer func() { _ = consumer.Close() }() // it commits nothing, so nothing is lost by its error
	for {
		a.state.Store(nil)
		ms, err := consumer.Fetch(ctx, a.cfg.Batch)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("reading %s: %w", bus.TopicAlerts, err)
		}
		if !a.decide(ctx, a.read(ctx, ms)) {
			return nil
		}
		// What is not committed comes again, and changes nothing then.
		if err := consumer.Commit(ctx, ms...); err != nil && ctx.Err() == nil && !errors.Is(err, bus.ErrClosed) {
			a.log.WithError(err).Warn("committing failed; these alerts will come again")
		}
	}
}

// read decodes messages; those that are no alert lines become dead letters.
func (a *Alerter) read(ctx context.Context, ms []bus.Message) []Item {
	items := make([]Item, 0, len(ms))
	for i := range ms {
		it := Item{Line: ms[i].Value}
		err := json.Unmarshal(ms[i].Value, &it.Alert)
		if err == nil {
			err = known(&it.Alert)
		}
		if err != nil {
			a.metrics.dropped.WithLabelValues("unreadable").Inc()
			a.insist(ctx, "keeping a dead letter", func(ctx context.Context) error { return a.bury(ctx, ms[i], err) })
			continue
		}
		it.Kind, it.Moment = channel.Kind(it.Alert.State), it.Alert.Time
		items = append(items, it)
	}
	return items
}

// known refuses what this stage would not know how to tell.
func known(a *event.Alert) error {
	switch a.State {
	case event.StateFiring, event.StateUpdated, event.StateResolved:
		return nil
	}
	return fmt.Errorf("reading alert line: im.alert.state: found %q, expected firing, updated or resolved", a.State)
}

// rounds splits items so that each alert stands at most once in a round, in order. A state is decided entirely before
// the next one of the same alert is looked at: so whatever is older than what is kept has been decided.
func rounds(items []Item) [][]Item {
	var out [][]Item
	at := map[string]int{}
	for _, it := range items {
		n := at[it.Alert.ID]
		at[it.Alert.ID]++
		if n == len(out) {
			out = append(out, nil)
		}
		out[n] = append(out[n], it)
	}
	return out
}

// bury keeps a message that cannot be read as a dead letter, with its bytes and where it came from.
func (a *Alerter) bury(ctx context.Context, m bus.Message, cause error) error {
	a.log.WithError(cause).WithField("offset", m.Offset).Error("a message is no alert line and becomes a dead letter")
	return a.putLetter(ctx, event.DeadLetterIndex(a.now()), newLetter(m, a.now(), cause))
}
