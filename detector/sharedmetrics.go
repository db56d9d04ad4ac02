package detector

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/window"
)

// shardMetrics are of detectors that share the work.
type shardMetrics struct {
	owned   prometheus.Gauge
	copies  prometheus.Counter
	restore prometheus.Histogram
	bytes   *prometheus.GaugeVec // shard
	unread  *prometheus.GaugeVec // shard
	foreign prometheus.Gauge
	shards  []int // that are told of
}

func newShardMetrics(reg prometheus.Registerer) (*shardMetrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_detector_" + name, Help: help})
	}
	byShard := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "im_detector_" + name, Help: help}, []string{"shard"})
	}
	m := &shardMetrics{
		owned: gauge("shards_owned", "Shards that this process evaluates."),
		copies: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "im_detector_routed_events_total", Help: "Events written to shards, one for each shard that an event concerns.",
		}),
		restore: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "im_detector_shard_restore_seconds", Help: "Time until a shard that was taken over is read on.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}),
		bytes:   byShard("shard_state_bytes", "Size of the shard's last state."),
		unread:  byShard("shard_unread_messages", "Messages to the shard that it has not read."),
		foreign: gauge("foreign_rules_shards", "Shards to which another detector routes by other rules than this one runs."),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.owned, m.copies, m.restore, m.bytes, m.unread, m.foreign} {
		if err := reg.Register(c); err != nil {
			errs = append(errs, fmt.Errorf("registering the detector's metrics: %w", err))
		}
	}
	return m, errors.Join(errs...)
}

// forget takes back what was told of shards that are no longer ours.
func (m *shardMetrics) forget(ours []int) {
	for _, n := range m.shards {
		if !slices.Contains(ours, n) {
			m.bytes.DeleteLabelValues(strconv.Itoa(n))
			m.unread.DeleteLabelValues(strconv.Itoa(n))
		}
	}
	m.shards = ours
}

// lag tells how far evaluation is behind, and compares the evaluators up to there, if all of it is here.
func (s *sharing) lag() {
	least := window.Never
	for _, e := range s.shards {
		e.mu.Lock()
		least = min(least, e.status.watermark)
		e.mu.Unlock()
	}
	if least == window.Never || least == window.None {
		return
	}
	s.d.metrics.mark.Store(least)
	if s.alone {
		s.d.compare.judge(least)
	}
}

// publish shows usage by rule, added up over the shards that are ours or were.
func (s *sharing) publish(now time.Time) {
	if now.Sub(s.usedAt) < publishEvery {
		return
	}
	s.usedAt = now
	for id, u := range s.total {
		u.Keys, u.StateBytes = 0, 0
		s.total[id] = u
	}
	for _, e := range s.shards {
		e.mu.Lock()
		latest := e.status.usage
		e.mu.Unlock()
		for id, u := range latest {
			s.total[id] = added(s.total, id, u, e.shown[id])
		}
		e.shown = latest
	}
	for id := range s.total {
		if !slices.ContainsFunc(s.rules.rules, func(r *rule.Rule) bool { return r.ID == id }) {
			delete(s.total, id)
		}
	}
	usage := maps.Clone(s.total)
	s.d.metrics.use(usage, s.told)
	s.d.board.use(usage, now)
	s.told = usage
}

// added adds to a rule's usage what a shard has taken since it was looked at last, and what it holds.
func added(total map[string]engine.Usage, id string, now, before engine.Usage) engine.Usage {
	sum, known := total[id]
	if !known {
		sum.LastEvent = window.None
	}
	if now.Events < before.Events || now.Looks < before.Looks { // it was loaded anew
		before = engine.Usage{}
	}
	now.Events -= before.Events
	now.Looks -= before.Looks
	now.Late -= before.Late
	now.Overflow -= before.Overflow
	now.Timed -= before.Timed
	now.TimedFor -= before.TimedFor
	sum.Add(now)
	return sum
}

// tell sets the gauges that are summed up over shards, and warns of what would come with every event.
func (s *sharing) tell() {
	foreign := 0
	for n, e := range s.shards {
		st := e.told()
		label := strconv.Itoa(n)
		s.metrics.bytes.WithLabelValues(label).Set(float64(st.bytes))
		s.metrics.unread.WithLabelValues(label).Set(float64(st.unread))
		for id, k := range st.overflow {
			s.d.overflow[id] += k
		}
		if st.foreign {
			foreign++
		}
	}
	for id, u := range s.total {
		s.d.metrics.keys.WithLabelValues(id).Set(float64(u.Keys))
	}
	s.metrics.foreign.Set(float64(foreign))
	if foreign > 0 {
		s.d.log.WithField("shards", foreign).
			Error("another detector routes by other rules than these: events that only these want do not come; give all detectors the same rules")
	}
	for id, n := range s.d.overflow {
		s.d.log.WithFields(logrus.Fields{"rule": id, "events": n}).
			Error("events were not counted: the rule has its part of limits.keys in a shard already and takes no further ones")
	}
	clear(s.d.overflow)
}
