package detector

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/event/canary"
	"imwatch/internal/bus"
)

// CanaryLost is the rule id of the alert that no canary comes through any more.
const CanaryLost = "imwatch-canary-lost"

// health is what the detector notices of itself: whether the way up to it is open, whether it keeps up, and that it is
// alive, which it tells to alerting. It belongs to the loop; out is read by sendCanaries.
type health struct {
	cfg     Config
	metrics *metrics
	host    string
	way     canary.DeadMan
	blind   blindness
	waiting []passing
	pulseAt time.Time
	out     chan []byte // for im.canary
}

// passing is a canary whose time evaluation has not passed yet.
type passing struct {
	event *event.Event
	line  []byte
}

// maxPassing bounds the canaries that wait: of a whole fleet of shippers, for minutes.
const maxPassing = 10_000

func newHealth(cfg Config, m *metrics) *health {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &health{
		cfg: cfg, metrics: m, host: host, blind: blindness{after: cfg.BlindAfter, host: host}, out: make(chan []byte, 16),
		way: canary.DeadMan{
			RuleID: CanaryLost, Title: "The way from the logs to the detector is cut",
			Lost: "no canary of any shipper has come through", Back: "canaries come through again",
		},
	}
}

// start begins the time that everything has to be heard of.
func (h *health) start(now time.Time) {
	h.way.Started, h.blind.started, h.pulseAt = now, now, now
	h.metrics.canary.Store(now.UnixNano())
}

// read takes in a canary from the bus.
func (h *health) read(ev *event.Event, line []byte) {
	if len(h.waiting) < maxPassing {
		h.waiting = append(h.waiting, passing{ev.Clone(), append([]byte(nil), line...)})
	}
}

// vitals are what the detector's health is judged by.
type vitals struct {
	clocks  engine.Clocks
	unread  bool      // there are messages that were not read
	asked   time.Time // when the broker last said where partitions end
	failing string    // the rule whose query has been failing for longest, "" if none fails
	since   time.Time // when that began
}

// tick gives the alerts that begin and end.
func (h *health) tick(now time.Time, v vitals) []*event.Alert {
	alerts := h.pass(now, v.clocks.Event)
	if !v.unread { // what is not read yet may hold the canaries that are missing
		alerts = append(alerts, h.way.Tick(now)...)
	}
	alerts = append(alerts, h.blind.tick(now, v)...)
	h.pulse(now)
	return alerts
}

// pass passes on the canaries whose time evaluation has passed: they have taken the way of an event.
func (h *health) pass(now time.Time, evaluated int64) []*event.Alert {
	var alerts []*event.Alert
	rest := h.waiting[:0]
	for _, c := range h.waiting {
		if evaluated != window.None && c.event.UnixNano() >= evaluated {
			rest = append(rest, c)
			continue
		}
		newer, resolved := h.way.Take(c.event, now)
		alerts = append(alerts, resolved...)
		if newer {
			h.metrics.canaries.Inc()
			h.metrics.canary.Store(max(h.metrics.canary.Load(), h.way.Last().UnixNano()))
			h.send(c.line)
		}
	}
	clear(h.waiting[len(rest):])
	h.waiting = rest
	return alerts
}

// pulse tells alerting that the detector lives; once, when it does not do so regularly, that nobody wait for it.
func (h *health) pulse(now time.Time) {
	if h.pulseAt.IsZero() || now.Before(h.pulseAt) {
		return
	}
	h.send(canary.Line(canary.Detector, h.host, h.cfg.PulseInterval, now))
	h.pulseAt = now.Add(h.cfg.PulseInterval)
	if h.cfg.PulseInterval == 0 {
		h.pulseAt = time.Time{}
	}
}

func (h *health) send(line []byte) {
	select {
	case h.out <- line:
	default: // the broker is away: newer ones will come
	}
}

// state writes what has to survive a restart.
func (h *health) state() []byte {
	b, err := json.Marshal(kept{&h.way, h.blind.open})
	if err != nil {
		return nil // of times, texts and numbers: it cannot be
	}
	return b
}

type kept struct {
	Way   *canary.DeadMan `json:"way"`
	Blind *event.Alert    `json:"blind,omitempty"`
}

// restore reads what state wrote. At worst an alert is raised anew, under the same id.
func (h *health) restore(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	k := kept{Way: &h.way}
	err := json.Unmarshal(b, &k)
	h.blind.open = k.Blind
	return err
}

// watchHealth judges the detector's health and makes the alerts of it.
func (d *Detector) watchHealth(now time.Time) {
	behind := d.behind(now)
	v := vitals{clocks: d.engine.Clocks(), asked: d.ends.asked}
	for p := range d.ends.at {
		v.unread = v.unread || behind(p)
	}
	if d.queries != nil {
		v.failing, v.since = d.queries.failingLongest()
	}
	if alerts := d.health.tick(now, v); len(alerts) > 0 {
		d.pending = append(d.pending, alerts...)
		d.dirty = true
	}
}

const (
	sendTimeout = 10 * time.Second
	sendWarning = 10 * time.Minute // at most that often it is said that nothing can be sent
)

// sendCanaries brings canaries and pulses to the bus until ctx ends. One that cannot be sent is left out: it would be
// worth nothing later.
func (d *Detector) sendCanaries(ctx context.Context, h *health) {
	var warned time.Time
	for {
		var line []byte
		select {
		case line = <-h.out:
		case <-ctx.Done():
			return
		}
		sending, cancel := context.WithTimeout(ctx, sendTimeout)
		err := d.deps.Bus.Produce(sending, bus.TopicCanary, bus.Message{Value: line})
		cancel()
		now := d.deps.Now()
		if err == nil || ctx.Err() != nil || now.Sub(warned) < sendWarning {
			continue
		}
		warned = now
		if errors.Is(err, bus.ErrUnknownTopic) {
			d.log.Warnf("there is no topic %s: alerting cannot tell whether the detector lives; imwatch setup makes it", bus.TopicCanary)
		} else {
			d.log.WithError(err).Warn("canaries cannot be passed on to alerting")
		}
	}
}
