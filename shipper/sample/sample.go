// Package sample leaves out lines that others stand for: a fixed share of what is frequent and dull, warnings only at
// peaks, errors and the lives of connections never. What is kept says by its weight for how many it stands, so that
// sums of weights are true counts on average.
package sample

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"imwatch/event"
)

// Config says which share of the lines that may be sampled is shipped. The lives of connections, from connect or refusal
// to the end, and errors are always shipped whole.
type Config struct {
	Heartbeats   float64 `yaml:"heartbeats" doc:"share of heartbeat lines that is shipped, more than 0 and at most 1"`
	Rooms        float64 `yaml:"rooms" doc:"share of join and leave lines"`
	HTTPRequests float64 `yaml:"http_requests" doc:"share of http_request lines at info and below"`
	Messages     float64 `yaml:"messages" doc:"share of lines about messages (event.dataset im.message) at info and below"`
	WarnRate     float64 `yaml:"warn_rate" doc:"warn lines a second of one action and node, those of a connection's life apart, from which on they are sampled; 0: never"`
	WarnShare    float64 `yaml:"warn_share" doc:"share of those above the rate"`
}

// DefaultConfig ships everything.
func DefaultConfig() Config {
	return Config{Heartbeats: 1, Rooms: 1, HTTPRequests: 1, Messages: 1, WarnShare: 0.1}
}

// Validate names every fault by its key.
func (c Config) Validate() error {
	var errs []error
	for _, s := range []struct {
		key   string
		share float64
	}{
		{"heartbeats", c.Heartbeats},
		{"rooms", c.Rooms},
		{"http_requests", c.HTTPRequests},
		{"messages", c.Messages},
		{"warn_share", c.WarnShare},
	} {
		if !(s.share > 0 && s.share <= 1) {
			errs = append(errs, fmt.Errorf("%s: found %v, expected more than 0 and at most 1", s.key, s.share))
		}
	}
	if !(c.WarnRate >= 0) || math.IsInf(c.WarnRate, 1) {
		errs = append(errs, fmt.Errorf("warn_rate: found %v, expected 0 or more", c.WarnRate))
	}
	return errors.Join(errs...)
}

// On says whether anything is sampled.
func (c Config) On() bool {
	return c.WarnRate > 0 || c.Heartbeats < 1 || c.Rooms < 1 || c.HTTPRequests < 1 || c.Messages < 1
}

// Sampler decides which events are shipped, by a hash of the trace id: what belongs to one trace and is shipped by the
// same share is kept or left out together, by every shipper and again after a restart. Not safe for concurrent use.
type Sampler struct {
	cfg   Config
	warns map[key]*allowance
}

// key is what has an allowance of its own: nodes are read one after the other, each at its own pace.
type key struct{ node, action string }

// allowance is a token bucket that holds one second's worth.
type allowance struct {
	tokens float64
	at     int64 // nanoseconds since 1970, in event time
}

// maxNodes bounds the allowances: node names come from the lines.
const maxNodes = 4096

// New makes a Sampler.
func New(cfg Config) *Sampler { return &Sampler{cfg: cfg, warns: map[key]*allowance{}} }

// Keep says whether the event is shipped, and multiplies its weight if it stands for others too.
func (s *Sampler) Keep(e *event.Event) bool {
	share := s.share(e)
	if share >= 1 {
		return true
	}
	if hash(e) >= uint64(share*math.Exp2(64)) {
		return false
	}
	e.SetFloat(event.FieldSampleWeight, e.Weight()/share)
	return true
}

// share is the part of events like e that is shipped. Which of them it is does not depend on the hash: else the weights
// would not add up.
func (s *Sampler) share(e *event.Event) float64 {
	switch e.Text(event.FieldLogLevel) {
	case event.LevelError, event.LevelFatal:
		return 1
	case event.LevelWarn:
		if s.cfg.WarnRate > 0 && sampledWarn(e.Action()) && !s.allow(e) {
			return s.cfg.WarnShare
		}
		return 1
	}
	switch e.Action() {
	case event.ActionHeartbeat.Code:
		return s.cfg.Heartbeats
	case event.ActionJoin.Code, event.ActionLeave.Code:
		return s.cfg.Rooms
	case event.ActionHTTPRequest.Code:
		return s.cfg.HTTPRequests
	}
	if e.Text(event.FieldEventDataset) == event.DatasetMessage {
		return s.cfg.Messages
	}
	return 1
}

// sampledWarn says whether warn lines of the action may be sampled: those that one client can cause without end.
func sampledWarn(action string) bool {
	switch action {
	case event.ActionMessageRejected.Code, event.ActionMessageFailed.Code, event.ActionMessageExpired.Code,
		event.ActionSlowConsumer.Code, event.ActionRateLimited.Code, event.ActionTopicGap.Code, event.ActionHTTPRequest.Code,
		event.ActionHeartbeat.Code, event.ActionJoin.Code, event.ActionLeave.Code:
		return true
	}
	return false
}

// allow takes one line of the allowance at the event's time.
func (s *Sampler) allow(e *event.Event) bool {
	now := e.UnixNano()
	a := s.warns[key{e.Node(), e.Action()}]
	if a == nil {
		if len(s.warns) >= maxNodes {
			clear(s.warns)
		}
		a = &allowance{tokens: max(1, s.cfg.WarnRate), at: now}
		s.warns[key{strings.Clone(e.Node()), strings.Clone(e.Action())}] = a
	}
	a.tokens = min(max(1, s.cfg.WarnRate), a.tokens+s.cfg.WarnRate*max(0, time.Duration(now-a.at).Seconds()))
	a.at = max(a.at, now)
	if a.tokens < 1 {
		return false
	}
	a.tokens--
	return true
}

// salt makes the hash another one than that by which the server that wrote the line may have sampled already: of what
// one hash has kept, the same hash keeps all.
const salt = "shipper"

// hash spreads the traces evenly. An event without one is judged alone, by its id.
func hash(e *event.Event) uint64 {
	id := e.Text(event.FieldTraceID)
	if id == "" {
		id = e.ID()
	}
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(salt)
	_, _ = d.WriteString(id)
	return d.Sum64()
}
