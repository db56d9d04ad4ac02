package alerting_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/channel"
	"imwatch/alerting/route"
	"imwatch/alerting/webhook"
	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// rig is a bus, a store and phones that outlive the alerters started on them. It lives in a synctest bubble.
type rig struct {
	t      *testing.T
	bus    *membus.Bus
	store  *memStore
	phones map[string]*phone
	budget channel.Budget
	cfg    alerting.Config
	reg    prometheus.Registerer // nil: nobody looks at metrics
}

func newRig(t *testing.T, receivers ...string) *rig {
	t.Helper()
	r := &rig{t: t, bus: membus.New(), store: newMemStore(), phones: map[string]*phone{}, cfg: alerting.DefaultConfig()}
	if err := r.bus.EnsureTopics(t.Context(), bus.TopicSpec{Name: bus.TopicAlerts, Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	for _, name := range receivers {
		r.phones[name] = newPhone()
		rec := alerting.NewReceiver(name)
		rec.Webhook = &webhook.Config{URL: "http://in.process"} // its channel is the phone
		r.cfg.Receivers = append(r.cfg.Receivers, rec)
	}
	r.cfg.Route = route.Config{Receivers: receivers}
	r.cfg.Refresh = 10 * time.Minute // of nothing, in most tests
	return r
}

// start runs an alerter until stop is called, which waits for its end.
func (r *rig) start(f *fuse, forget bool) (a *alerting.Alerter, stop func()) {
	r.t.Helper()
	log := quiet()
	a, err := alerting.New(r.cfg, alerting.Deps{
		Bus: deadBus{r.bus, f, forget}, Store: deadStore{r.store, f}, Log: log, Registerer: r.reg,
		Channel: func(rec alerting.Receiver) (alerting.Channel, error) {
			budget := r.budget
			if p := r.phones[rec.Name]; p.budget.Fold > 0 {
				budget = p.budget
			}
			return line{r.phones[rec.Name], f, budget}, nil
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return a, func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}
}

func quiet() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// whole runs an alerter that does not die, for a while.
func (r *rig) whole(d time.Duration) {
	r.t.Helper()
	_, stop := r.start(newFuse(-1, false), false)
	pass(d)
	stop()
}

// pass lets fake time run.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // fake time
	synctest.Wait()
}

func (r *rig) produce(alerts ...*event.Alert) {
	r.t.Helper()
	for _, a := range alerts {
		b, err := json.Marshal(a)
		if err != nil {
			r.t.Fatal(err)
		}
		r.produceRaw(a.ID, b)
	}
}

func (r *rig) produceRaw(key string, value []byte) {
	r.t.Helper()
	if err := r.bus.Produce(r.t.Context(), bus.TopicAlerts, bus.Message{Key: []byte(key), Value: value}); err != nil {
		r.t.Fatal(err)
	}
}

// state makes a state change of an alert, at a moment in seconds after its start.
func state(id, state string, from time.Time, after int) *event.Alert {
	a := &event.Alert{
		Time: from.Add(time.Duration(after) * time.Second), ID: id, State: state, RuleID: "rule-" + id, RuleName: "Rule " + id,
		Status: "enabled", Severity: "high", Key: []event.KeyPart{{Field: "client.ip", Value: "192.0.2.1"}}, Value: 21, Limit: "> 20", Window: "1m", From: from,
	}
	if state == event.StateResolved {
		a.To = a.Time
	}
	return a
}

// told names what a phone accepted, in order.
func told(p *phone) []string {
	var out []string
	for _, n := range p.all() {
		out = append(out, fmt.Sprintf("%s %s", n.Alert.ID, n.Kind))
	}
	return out
}

// notification is one as channels get it.
func notification(body string) channel.Notification {
	a := state("a", event.StateFiring, time.Now().UTC(), 0)
	return channel.Notification{ID: "n1", Receiver: "team", Kind: channel.Firing, Alert: *a, Message: channel.Message{Title: "title", Body: body}}
}
