package imserver

import "time"

// HeartbeatConfig says how dead peers are found. The interval between two pings of a connection moves between Min and
// Max; Min = Max = Interval keeps it fixed, and so does leaving both at 0.
type HeartbeatConfig struct {
	Interval  time.Duration `yaml:"interval" doc:"time between two pings of a healthy connection"`
	Min       time.Duration `yaml:"min" doc:"shortest time between two pings, of a connection whose pongs get worse; 0, or more than interval: interval"`
	Max       time.Duration `yaml:"max" doc:"longest time between two pings, of a connection with a long round trip; 0, or less than interval: interval"`
	Timeout   time.Duration `yaml:"timeout" doc:"time without a sign of life that ends a connection"`
	MaxMissed int           `yaml:"max_missed" doc:"pings in a row without a pong that end a connection"`
	Stall     time.Duration `yaml:"stall" doc:"time in which a client that is there may take nothing of what waits for it"`
}

func defaultHeartbeat() HeartbeatConfig {
	return HeartbeatConfig{
		Interval: 30 * time.Second, Min: 5 * time.Second, Max: 60 * time.Second, Timeout: 90 * time.Second, MaxMissed: 3, Stall: 30 * time.Second,
	}
}

func (h *HeartbeatConfig) validate(v *faults) {
	v.positive("heartbeat.interval", h.Interval)
	v.check(h.Min >= 0, "heartbeat.min", "%v must not be negative", h.Min)
	v.check(h.Max == 0 || h.Max >= h.Min, "heartbeat.max", "%v must be at least heartbeat.min, %v", h.Max, h.Min)
	v.check(h.Timeout >= h.Interval, "heartbeat.timeout", "%v must be at least heartbeat.interval, %v", h.Timeout, h.Interval)
	v.check(h.MaxMissed >= 1 && h.MaxMissed <= 100, "heartbeat.max_missed", "%d must be from 1 to 100", h.MaxMissed)
	v.check(h.Stall >= 0, "heartbeat.stall", "%v must not be negative; 0 is without limit", h.Stall)
}

// pace is a HeartbeatConfig as the clock counts it, with the bounds in order.
type pace struct {
	base, least, most, timeout, stall int64
	maxMissed                         int
}

func (h *HeartbeatConfig) pace() pace {
	p := pace{base: int64(h.Interval), least: int64(h.Min), most: int64(h.Max), timeout: int64(h.Timeout), stall: int64(h.Stall), maxMissed: h.MaxMissed}
	if p.least == 0 || p.least > p.base {
		p.least = p.base
	}
	// A client may give up when it hears nothing for twice the base.
	p.most = min(max(p.most, p.base), max(p.base, 2*p.base-p.base/8))
	return p
}

// tick is what a heartbeat may be late by: a thirtieth of the shortest interval, at most a second.
func (h *HeartbeatConfig) tick() time.Duration {
	p := h.pace()
	return min(max(time.Duration(p.least)/30, time.Millisecond), time.Second)
}

// span is the longest time that anything is put off for.
func (h *HeartbeatConfig) span() time.Duration {
	p := h.pace()
	return time.Duration(max(p.most, p.timeout))
}
