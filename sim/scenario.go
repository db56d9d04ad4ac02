package sim

import (
	"errors"
	"fmt"
	"time"

	"imwatch/event"
)

// Kind is a sort of trouble.
type Kind string

// The kinds of trouble. Which fields of [Trouble] a kind reads stands behind it.
const (
	BadTokens  Kind = "bad-tokens"     // Count handshakes spread over For, from Addresses addresses, refused for Reason
	Silent     Kind = "silent-clients" // Count clients connect at At, never read again and never let go
	Hammer     Kind = "hammer"         // one address connects and hangs up Rate times a second for For
	Reset      Kind = "reset"          // Count connected clients (0: all) lose their TCP by RST at At and come back
	NodeStop   Kind = "node-stop"      // node Node drains and stops at At; it is back after For (0: it stays away)
	NodeKill   Kind = "node-kill"      // node Node dies at At and leaves its connections orphaned; it is back after For
	Errors     Kind = "errors"         // node Node writes Count error lines in a row, spread over For
	Panic      Kind = "panic"          // node Node writes one fatal line at At
	SharedAddr Kind = "shared-address" // Count further clients come from one address, spread over For: an office, no attack
)

// Trouble is one thing that goes wrong, or only looks like it.
type Trouble struct {
	Kind      Kind
	At        time.Duration // since the start of the run
	For       time.Duration // how long it is spread over
	Count     int
	Addresses int     // default 1
	Rate      float64 // a second
	Node      int     // index of the node; Run has only a hook for it
	Reason    event.HandshakeReason
}

// Scenario is a fleet and its timeline. The zero Scenario is not valid; see [Scenarios] and [ByName]. It is a value:
// copy and change it freely.
type Scenario struct {
	Name     string
	Title    string        // one sentence for a person
	Duration time.Duration // of the whole run
	Users    int           // normal clients; each has an address of its own
	Ramp     time.Duration // in which the normal clients come
	Life     time.Duration // mean life of a normal connection before the client hangs up and comes back; 0: it stays
	Chat     float64       // messages a second of one client (echo, private and room by turns)
	Nodes    int           // servers
	// Heartbeat is the servers' interval between pings, default 30s. Generate plays it; Run expects it.
	Heartbeat time.Duration
	Troubles  []Trouble
}

// heartbeat gives the interval between pings.
func (s Scenario) heartbeat() time.Duration {
	if s.Heartbeat == 0 {
		return 30 * time.Second
	}
	return s.Heartbeat
}

// heartbeatsMissed is after how many intervals without a sign of life a server gives a client up.
const heartbeatsMissed = 3

func (s Scenario) heartbeatLimit() time.Duration { return heartbeatsMissed * s.heartbeat() }

// Validate says all that is wrong with the scenario.
func (s Scenario) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("scenario %q: "+format, append([]any{s.Name}, args...)...))
		}
	}
	fault(s.Name == "", "it needs a name")
	fault(s.Duration <= 0, "duration is %v, it must be more than 0s", s.Duration)
	fault(s.Users < 0, "users is %d, it must not be negative", s.Users)
	fault(s.Users > maxUsers, "users is %d, at most %d have addresses", s.Users, maxUsers)
	fault(s.Ramp < 0 || s.Ramp > s.Duration, "ramp is %v, it must be between 0s and the duration, %v", s.Ramp, s.Duration)
	fault(s.Life < 0, "life is %v, it must not be negative", s.Life)
	fault(s.Heartbeat < 0, "heartbeat is %v, it must not be negative", s.Heartbeat)
	fault(s.Chat < 0, "chat is %v messages a second, it must not be negative", s.Chat)
	fault(s.Nodes < 1, "nodes is %d, it must be at least 1", s.Nodes)
	for i, t := range s.Troubles {
		if err := t.validate(s); err != nil {
			errs = append(errs, fmt.Errorf("scenario %q: trouble %d (%s): %w", s.Name, i+1, t.Kind, err))
		}
	}
	return errors.Join(errs...)
}

func (t Trouble) validate(s Scenario) error {
	if t.At < 0 || t.For < 0 || t.At+t.lasts(s) > s.Duration {
		return fmt.Errorf("it lasts from %v to %v, outside the run of %v", t.At, t.At+t.lasts(s), s.Duration)
	}
	if t.Node < 0 || t.Node >= s.Nodes {
		return fmt.Errorf("node is %d, there are %d (from 0)", t.Node, s.Nodes)
	}
	if t.Addresses < 0 || t.Addresses > maxTroubleAddresses {
		return fmt.Errorf("addresses is %d, allowed are 0 to %d", t.Addresses, maxTroubleAddresses)
	}
	switch t.Kind {
	case BadTokens, Errors, SharedAddr:
		if t.Count < 1 || t.For <= 0 {
			return fmt.Errorf("count is %d and for is %v, both must be more than 0", t.Count, t.For)
		}
		if t.Kind == BadTokens && t.Reason.Stage != event.StageAuth {
			return fmt.Errorf("reason is %q, it must be one of the stage %q", t.Reason.Reason, event.StageAuth)
		}
	case Silent:
		if t.Count < 1 {
			return fmt.Errorf("count is %d, it must be at least 1", t.Count)
		}
	case Hammer:
		if t.Rate <= 0 || t.For <= 0 {
			return fmt.Errorf("rate is %v and for is %v, both must be more than 0", t.Rate, t.For)
		}
	case Reset:
		if t.Count < 0 {
			return fmt.Errorf("count is %d, it must not be negative", t.Count)
		}
	case NodeStop, NodeKill:
		if s.Nodes < 2 {
			return errors.New("nodes is 1, another node must be there to take the clients")
		}
	case Panic:
	default:
		return fmt.Errorf("unknown kind, allowed are %v", Kinds())
	}
	return nil
}

// lasts says how long after At the last consequence is written.
func (t Trouble) lasts(s Scenario) time.Duration {
	switch t.Kind {
	case Silent:
		return max(t.For, silentRamp) + s.heartbeatLimit() + time.Second
	case NodeKill:
		return max(t.For, leaseLife+time.Second)
	case NodeStop:
		return max(t.For, drainTime+time.Second)
	}
	return t.For
}

// silentRamp is how long silent clients take to come at least: more than ten connects a second of one address would be
// a trouble of another kind.
const silentRamp = 2 * time.Second

// Kinds gives all kinds of trouble.
func Kinds() []Kind {
	return []Kind{BadTokens, Silent, Hammer, Reset, NodeStop, NodeKill, Errors, Panic, SharedAddr}
}
