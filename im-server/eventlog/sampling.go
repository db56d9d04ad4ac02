package eventlog

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"imwatch/event"
)

// SamplingConfig says which share of the lines that may be sampled is written. The lifecycle of a connection and errors
// are always written whole.
type SamplingConfig struct {
	Heartbeats   float64 `yaml:"heartbeats" doc:"share of heartbeat lines that is written, more than 0 and at most 1"`
	Rooms        float64 `yaml:"rooms" doc:"share of join and leave lines"`
	HTTPRequests float64 `yaml:"http_requests" doc:"share of http_request lines below error"`
	Messages     float64 `yaml:"messages" doc:"share of lines about messages (event.dataset im.message) at info and below"`
	WarnRate     float64 `yaml:"warn_rate" doc:"warn lines a second of one action, the lifecycle's apart, from which on they are sampled"`
	WarnShare    float64 `yaml:"warn_share" doc:"share of those above the rate"`
}

// sampler decides which events are written, by a hash of the trace id: what belongs to one trace is kept or left out
// together, on every node. What is kept says by its weight for how many it stands, so that the sum of the weights is on
// average the number of events. Safe for concurrent use.
type sampler struct {
	mu    sync.Mutex
	warns map[string]*allowance // by action: the few of the contract
}

// allowance is a token bucket that holds one second's worth.
type allowance struct {
	tokens float64
	at     int64 // nanoseconds since 1970
}

func newSampler() *sampler { return &sampler{warns: map[string]*allowance{}} }

// keep says whether ev is written, and sets its weight if it stands for others too.
func (s *sampler) keep(c *SamplingConfig, ev *event.Event) bool {
	share := s.share(c, ev)
	if share >= 1 {
		return true
	}
	if traceHash(ev.Text(event.FieldTraceID)) >= uint64(share*math.Exp2(64)) {
		return false
	}
	ev.SetFloat(event.FieldSampleWeight, ev.Weight()/share)
	return true
}

// share is the part of events like ev that is written. Which of them it is does not depend on the hash: else the
// weights would not add up.
func (s *sampler) share(c *SamplingConfig, ev *event.Event) float64 {
	level := ev.Text(event.FieldLogLevel)
	switch level {
	case event.LevelError, event.LevelFatal:
		return 1
	case event.LevelWarn:
		if s.sampledWarn(ev.Action()) && !s.allow(ev, c.WarnRate) {
			return c.WarnShare
		}
		return 1
	}
	switch ev.Action() {
	case event.ActionHeartbeat.Code:
		return c.Heartbeats
	case event.ActionJoin.Code, event.ActionLeave.Code:
		return c.Rooms
	case event.ActionHTTPRequest.Code:
		return c.HTTPRequests
	}
	if ev.Text(event.FieldEventDataset) == event.DatasetMessage {
		return c.Messages
	}
	return 1
}

// sampledWarn says whether warn lines of the action may be sampled: those that one client can cause without end. The
// lifecycle, heartbeat trouble, and what the node says of itself may not.
func (s *sampler) sampledWarn(action string) bool {
	switch action {
	case event.ActionMessageRejected.Code, event.ActionMessageFailed.Code, event.ActionMessageExpired.Code,
		event.ActionSlowConsumer.Code, event.ActionRateLimited.Code, event.ActionTopicGap.Code, event.ActionHTTPRequest.Code:
		return true
	}
	return false
}

// allow takes one line of the action's allowance at the event's time.
func (s *sampler) allow(ev *event.Event, rate float64) bool {
	now := ev.UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.warns[ev.Action()]
	if a == nil {
		a = &allowance{tokens: rate, at: now}
		s.warns[ev.Action()] = a
	}
	a.tokens = min(rate, a.tokens+rate*max(0, time.Duration(now-a.at).Seconds()))
	a.at = max(a.at, now)
	if a.tokens < 1 {
		return false
	}
	a.tokens--
	return true
}

// minor says whether ev is of a kind that is left out before the lifecycle is, where there is no room for all.
func minor(ev *event.Event) bool {
	switch ev.Action() {
	case event.ActionHeartbeat.Code, event.ActionJoin.Code, event.ActionLeave.Code, event.ActionHTTPRequest.Code, event.ActionMessageRejected.Code:
		return true
	}
	return false
}

// must says whether ev is one of the few that the node writes of itself, and that would say why others are missing.
func must(ev *event.Event) bool {
	switch ev.Action() {
	case event.ActionServerStart.Code, event.ActionServerDrain.Code, event.ActionServerStop.Code, event.ActionConfigChange.Code, event.ActionConnectionStats.Code:
		return true
	}
	return false
}

// traceHash spreads trace ids evenly, those of a client that only counts too.
func traceHash(trace string) uint64 {
	if trace == "" {
		return rand.Uint64() //nolint:gosec // nothing to keep together, and no secret
	}
	return xxhash.Sum64String(trace)
}
