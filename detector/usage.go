package detector

import (
	"strconv"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
)

// publishEvery is how often what the engine has counted is shown.
const publishEvery = time.Second

// publisher shows what the engine counts in plain numbers as metrics. It belongs to the loop.
type publisher struct {
	next time.Time
	last map[string]engine.Usage // what was shown, by rule
}

// publish shows usage by rule and lag by partition, when it is time.
func (d *Detector) publish(now time.Time) {
	p := &d.published
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(publishEvery)
	usage := d.engine.Usage()
	d.metrics.use(usage, p.last)
	p.last = usage
	d.board.use(usage, now)
	for part, end := range d.ends.at {
		d.metrics.behind.WithLabelValues(strconv.Itoa(part)).Set(float64(max(0, end-d.positions[part])))
	}
}

// begin shows the counters of failures of rules at 0, so that the first one is an increase. queried says that there is a
// store to ask.
func (m *metrics) begin(rules []*rule.Rule, queried bool) {
	for _, r := range rules {
		if r.Status == rule.StatusDisabled {
			continue
		}
		if r.Mode != rule.ModeQuery {
			m.overflow.WithLabelValues(r.ID)
			m.lost.WithLabelValues(r.ID)
		}
		if r.Mode != rule.ModeStream && queried {
			m.queries.WithLabelValues(r.ID, "failed")
		}
		if r.Mode == rule.ModeBoth && queried {
			m.differences.WithLabelValues(r.ID, "false")
		}
	}
}

// use adds what has come since last and shows what is held now. Rules that are gone are shown no longer.
func (m *metrics) use(usage, last map[string]engine.Usage) {
	for id, u := range usage {
		before := last[id]
		if u.Events < before.Events || u.Looks < before.Looks { // it was loaded anew
			before = engine.Usage{}
		}
		m.ruleEvents.WithLabelValues(id).Add(float64(u.Events - before.Events))
		m.looks.WithLabelValues(id).Add(float64(u.Looks - before.Looks))
		m.stateBytes.WithLabelValues(id).Set(float64(u.StateBytes))
		m.cost.WithLabelValues(id).Set(float64(u.PerEvent()) / 1e9)
	}
	for id := range last {
		if _, still := usage[id]; !still {
			m.stateBytes.DeleteLabelValues(id)
			m.cost.DeleteLabelValues(id)
		}
	}
}
