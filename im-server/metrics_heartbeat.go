package imserver

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// beatMetrics are what a server tells of its heartbeats.
type beatMetrics struct {
	in      [beatStates]atomic.Int64 // connections by state
	entered [beatStates]prometheus.Counter
	missed  prometheus.Counter
	stalled prometheus.Counter
	rtt     prometheus.Histogram
	every   prometheus.Histogram
	late    prometheus.Histogram
}

func (m *beatMetrics) make(s *Server) []prometheus.Collector {
	changes := counters("heartbeat_changes_total", "Connections whose heartbeat came into a state.", "state")
	m.missed = counter("heartbeat_missed_total", "Intervals that passed without a pong.")
	m.stalled = counter("heartbeat_stalled_total", "Connections that were ended because nothing of what waited was taken.")
	m.rtt = histogram("heartbeat_rtt_seconds", "Round trip of a ping.", prometheus.ExponentialBuckets(0.0005, 2, 14))
	m.every = histogram("heartbeat_interval_seconds", "Time between two pings of a connection.", []float64{1, 5, 7.5, 10, 15, 20, 25, 30, 45, 60, 120})
	m.late = histogram("heartbeat_late_seconds", "How late the wheel was for a visit.", prometheus.ExponentialBuckets(0.001, 4, 8))
	list := []prometheus.Collector{changes, m.missed, m.stalled, m.rtt, m.every, m.late}
	for st := beatNew; st < beatStates; st++ {
		m.entered[st] = changes.WithLabelValues(beatStateNames[st])
		list = append(list, gauge("heartbeat_connections", "Connections by the state of their heartbeat.",
			prometheus.Labels{"state": beatStateNames[st]}, func() float64 { return float64(m.in[st].Load()) }))
	}
	return append(list, gauge("wheel_entries", "What is on the timer wheel.", nil, func() float64 { return float64(s.wheel.len()) }))
}

// move counts a connection whose heartbeat goes from one state to another.
func (m *beatMetrics) move(from, to beatState) {
	if from == to {
		return
	}
	if from != beatNone {
		m.in[from].Add(-1)
	}
	if to != beatNone {
		m.in[to].Add(1)
		m.entered[to].Inc()
	}
}
