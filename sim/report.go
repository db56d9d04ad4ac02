package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"imwatch/client"
)

// Report says what a Run did.
type Report struct {
	Scenario string        `json:"scenario"`
	From     time.Time     `json:"from"`
	To       time.Time     `json:"to"`
	Actors   []ActorReport `json:"actors"` // the normal clients first, then the troubles in the scenario's order
	Labels   []Label       `json:"labels"`
}

// ActorReport counts what a group of clients did and met.
type ActorReport struct {
	Name      string           `json:"name"`
	Connects  int64            `json:"connects"`   // handshakes that came to a hello
	Failures  int64            `json:"failures"`   // handshakes that did not
	Refusals  map[string]int64 `json:"refusals"`   // failures by the server's reason; "network" without one
	Lost      int64            `json:"lost"`       // connections that the client did not end itself
	Sent      int64            `json:"sent"`       // messages
	Received  int64            `json:"received"`   // messages and echoes
	Acked     int64            `json:"acked"`      // messages that the server took
	Errors    int64            `json:"errors"`     // messages that the server refused
	NotSent   int64            `json:"not_sent"`   // for want of a connection
	LatencyMS float64          `json:"latency_ms"` // mean round trip of echoes
}

// Total adds all actors up.
func (r Report) Total() ActorReport {
	t := ActorReport{Name: allName, Refusals: map[string]int64{}}
	weighted := 0.0
	for _, a := range r.Actors {
		t.Connects += a.Connects
		t.Failures += a.Failures
		t.Lost += a.Lost
		t.Sent += a.Sent
		t.Received += a.Received
		t.Acked += a.Acked
		t.Errors += a.Errors
		t.NotSent += a.NotSent
		for reason, n := range a.Refusals {
			t.Refusals[reason] += n
		}
		weighted += a.LatencyMS * float64(a.Received)
	}
	if t.Received > 0 {
		t.LatencyMS = weighted / float64(t.Received)
	}
	return t
}

// WriteText prints the report for a person.
func (r Report) WriteText(w io.Writer) error {
	p := printer{w: w}
	p.printf("%-20s %9s %9s %6s %9s %9s %9s %7s\n", "actor", "connects", "failures", "lost", "sent", "received", "acked", "errors")
	for _, a := range append(slices.Clone(r.Actors), r.Total()) {
		p.printf("%-20s %9d %9d %6d %9d %9d %9d %7d", a.Name, a.Connects, a.Failures, a.Lost, a.Sent, a.Received, a.Acked, a.Errors)
		for _, reason := range slices.Sorted(maps.Keys(a.Refusals)) {
			p.printf("  %s %d", reason, a.Refusals[reason])
		}
		p.printf("\n")
	}
	return p.err
}

// tally is an ActorReport in the making. Safe for concurrent use.
type tally struct {
	name                                                                          string
	online, connects, failures, lost, sent, received, acked, errors, notSent, rtt atomic.Int64
	echoes                                                                        atomic.Int64

	mu       sync.Mutex
	refusals map[string]int64
}

func newTally(name string) *tally { return &tally{name: name, refusals: map[string]int64{}} }

// refused counts a handshake that came to nothing.
func (t *tally) refused(err error) {
	t.failures.Add(1)
	reason := "network"
	if he, ok := errors.AsType[*client.HandshakeError](err); ok {
		reason = he.Reason
		if reason == "" {
			reason = fmt.Sprintf("http_%d", he.Status)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refusals[reason]++
}

// state is a client.Handler's State: it counts what a client says of its connection.
func (t *tally) state(s client.State) {
	switch {
	case s.Connected:
		t.connects.Add(1)
		t.online.Add(1)
	case s.Lost:
		t.online.Add(-1)
		if !s.Final {
			t.lost.Add(1)
		}
	case errors.Is(s.Err, context.Canceled): // the run is over
	default:
		t.refused(s.Err)
	}
}

func (t *tally) report() ActorReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := ActorReport{
		Name: t.name, Connects: t.connects.Load(), Failures: t.failures.Load(), Refusals: maps.Clone(t.refusals), Lost: t.lost.Load(),
		Sent: t.sent.Load(), Received: t.received.Load(), Acked: t.acked.Load(), Errors: t.errors.Load(), NotSent: t.notSent.Load(),
	}
	if n := t.echoes.Load(); n > 0 {
		r.LatencyMS = float64(t.rtt.Load()) / float64(n) / 1e6
	}
	return r
}
