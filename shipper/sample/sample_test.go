package sample

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"

	"imwatch/event"
)

var epoch = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func made(a event.Action, level, trace string, n int, at time.Time) *event.Event {
	var e event.Event
	e.Begin(a, at)
	e.SetText(event.FieldLogLevel, level)
	e.SetText(event.FieldTraceID, trace)
	e.SetText(event.FieldEventID, fmt.Sprintf("id-%010d", n))
	e.SetText(event.FieldServiceNode, "im-1")
	return &e
}

func trace(n int) string { return fmt.Sprintf("%032x", n+1) }

func TestTheLifecycleAndErrorsAreNeverSampled(t *testing.T) {
	t.Parallel()
	s := New(Config{Heartbeats: 0.001, Rooms: 0.001, HTTPRequests: 0.001, Messages: 0.001, WarnRate: 0.001, WarnShare: 0.001})
	sampled := map[string]bool{}
	for _, a := range event.Actions() {
		for i, level := range []string{"trace", "debug", "info", "warn", "error", "fatal"} {
			for n := range 50 {
				if s.Keep(made(a, level, trace(n), n, epoch)) {
					continue
				}
				sampled[a.Code] = true
				if i >= 4 {
					t.Fatalf("%s at %s was left out", a.Code, level)
				}
			}
		}
	}
	for _, a := range []event.Action{
		event.ActionConnect, event.ActionDisconnect, event.ActionOrphaned, event.ActionResume, event.ActionResumeFailure, event.ActionHandshakeFailure, event.ActionHeartbeatMissed,
		event.ActionHeartbeatTimeout, event.ActionSessionKicked, event.ActionSessionReplaced, event.ActionServerStart, event.ActionConnectionStats, event.ActionConfigChange,
	} {
		if sampled[a.Code] {
			t.Errorf("%s was left out", a.Code)
		}
	}
	for _, a := range []event.Action{event.ActionHeartbeat, event.ActionJoin, event.ActionHTTPRequest, event.ActionMessageRejected, event.ActionRateLimited} {
		if !sampled[a.Code] {
			t.Errorf("%s was never left out", a.Code)
		}
	}
}

// The sum of the weights is the number of events, whatever share each was kept by and whatever weights they came with.
func TestWeightsAddUp(t *testing.T) {
	t.Parallel()
	const n = 50_000
	for _, share := range []float64{0.5, 0.1, 0.01} {
		cfg := DefaultConfig()
		cfg.HTTPRequests = share
		s := New(cfg)
		sum, kept := 0.0, 0
		for i := range n {
			e := made(event.ActionHTTPRequest, "info", trace(i), i, epoch)
			e.SetFloat(event.FieldSampleWeight, 2.5)
			if s.Keep(e) {
				sum += e.Weight()
				kept++
			}
		}
		// five standard deviations of a binomial
		if off := math.Abs(sum/2.5 - n); off > 5*math.Sqrt(n*(1-share)/share) {
			t.Errorf("share %v: %d kept stand for %.0f of %d", share, kept, sum/2.5, n)
		}
	}
}

// A server that samples by the hash of the trace id and a shipper behind it give true counts together.
func TestBehindASamplingServer(t *testing.T) {
	t.Parallel()
	const n = 50_000
	cfg := DefaultConfig()
	cfg.HTTPRequests = 0.5
	s := New(cfg)
	sum := 0.0
	for i := range n {
		if xxhash.Sum64String(trace(i)) >= math.MaxUint64/10 {
			continue
		}
		e := made(event.ActionHTTPRequest, "info", trace(i), i, epoch)
		e.SetFloat(event.FieldSampleWeight, 10)
		if s.Keep(e) {
			sum += e.Weight()
		}
	}
	if off := math.Abs(sum - n); off > 5*math.Sqrt(n*19) {
		t.Errorf("they stand for %.0f of %d", sum, n)
	}
}

// What is kept of a trace does not depend on who decides, when, or what else was seen.
func TestDecisionsAreTheTraces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.HTTPRequests, cfg.Messages = rapid.Float64Range(0.01, 1).Draw(t, "share"), 0.3
		ids := rapid.SliceOfN(rapid.IntRange(0, 50), 1, 100).Draw(t, "traces")
		a, decided := New(cfg), map[int]bool{}
		for i, id := range ids {
			kept := a.Keep(made(event.ActionHTTPRequest, "info", trace(id), i, epoch))
			if was, ok := decided[id]; ok && was != kept {
				t.Fatalf("trace %d is kept once and left out once", id)
			}
			decided[id] = kept
		}
		b := New(cfg)
		for i, id := range slices.Backward(ids) {
			if b.Keep(made(event.ActionHTTPRequest, "debug", trace(id), -i, epoch.Add(time.Hour))) != decided[id] {
				t.Fatal("another shipper decides otherwise")
			}
		}
	})
}

func TestWarningsAreSampledAtPeaksOnly(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.WarnRate, cfg.WarnShare = 10, 0.1
	s := New(cfg)
	calm := 0
	for i := range 600 { // a minute at the rate
		if s.Keep(made(event.ActionRateLimited, "warn", trace(i), i, epoch.Add(time.Duration(i)*100*time.Millisecond))) {
			calm++
		}
	}
	if calm != 600 {
		t.Errorf("%d of 600 were kept", calm)
	}
	sum, whole, later := 0.0, 0, epoch.Add(time.Hour)
	for i := range 50_000 { // five seconds at a thousand times the rate
		e := made(event.ActionRateLimited, "warn", trace(i), i, later.Add(time.Duration(i)*100*time.Microsecond))
		if s.Keep(e) {
			sum += e.Weight()
			if e.Weight() == 1 {
				whole++
			}
		}
	}
	if whole < 55 || whole > 61 {
		t.Errorf("%d were kept as they were, expected ten a second and the second's worth before", whole)
	}
	if off := math.Abs(sum - 50_000); off > 5*math.Sqrt(50_000*9) {
		t.Errorf("they stand for %.0f of 50000", sum)
	}
	for i := range 20 { // another node has its own allowance
		e := made(event.ActionRateLimited, "warn", trace(i), i, later)
		e.SetText(event.FieldServiceNode, "im-2")
		if !s.Keep(e) && i < 10 {
			t.Error("one node's peak takes another's allowance")
		}
	}
	for i := range 3 * maxNodes {
		e := made(event.ActionRateLimited, "warn", trace(i), i, later)
		e.SetText(event.FieldServiceNode, fmt.Sprint("n-", i))
		s.Keep(e)
	}
	if len(s.warns) > maxNodes {
		t.Errorf("%d allowances", len(s.warns))
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if c := DefaultConfig(); c.Validate() != nil || c.On() {
		t.Error("by default everything is shipped")
	}
	err := Config{Heartbeats: 0, Rooms: 2, HTTPRequests: math.NaN(), Messages: 1, WarnShare: 1, WarnRate: -1}.Validate()
	for _, want := range []string{"heartbeats: found 0", "rooms: found 2", "http_requests: found NaN", "warn_rate: found -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "messages") {
		t.Error(err)
	}
}

func BenchmarkKeep(b *testing.B) {
	s := New(DefaultConfig())
	e := made(event.ActionDisconnect, "warn", trace(1), 1, epoch)
	b.ReportAllocs()
	for b.Loop() {
		if !s.Keep(e) {
			b.Fatal("left out")
		}
	}
}
