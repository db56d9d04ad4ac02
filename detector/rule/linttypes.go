package rule

import (
	"fmt"
	"time"
)

// checkMetric gives the limit the unit of the field.
func (d *decoder) checkMetric(r *Rule) {
	m := r.Detect.Metric
	if m == nil || m.Is.Unit == 0 || m.Field.Name == "" {
		return
	}
	unit := unitOf(m.Field)
	if unit == 0 {
		d.failAt("detect.metric.is", "found a time in %q, but %s holds none; times are in event.duration and in fields that end in _ms", m.Is, m.Field.Name)
		return
	}
	m.Is.Limit, m.Is.Unit = m.Is.Limit/float64(unit), unit
}

func (d *decoder) checkSequence(r *Rule) {
	s := r.Detect.Sequence
	if s == nil || s.Steps == nil {
		return
	}
	const at = "detect.sequence.steps"
	if len(s.Steps) < 2 || len(s.Steps) > maxSteps {
		d.failAt(at, "found %d steps, expected 2 to %d", len(s.Steps), maxSteps)
	}
	seen := map[string]int{}
	for i, step := range s.Steps {
		place := fmt.Sprintf("%s.%d", at, i)
		switch {
		case step.Not && i == 0:
			d.failAt(place+".not", "the first step must happen: there is nothing before it to count from")
		case step.Not && step.Times != 1:
			d.failAt(place+".times", "a step that must not happen has no times")
		}
		if first, double := seen[step.ID]; double && step.ID != "" {
			d.failAt(place+".id", "a step %q stands in place %d already", step.ID, first+1)
		}
		seen[step.ID] = i
	}
}

// maxSeason bounds how many buckets a season has: state is kept for each.
const maxSeason = 10_080 // a week of minutes

func (d *decoder) checkAnomaly(r *Rule) {
	a := r.Detect.Anomaly
	if a == nil || a.Season.Duration == 0 || a.Bucket.Duration == 0 {
		return
	}
	n := a.Season.Duration / a.Bucket.Duration
	switch {
	case a.Season.Duration%a.Bucket.Duration != 0 || n < 2:
		d.failAt("detect.anomaly.season", "found %s, expected a whole number of buckets of %s, at least two", a.Season.Text, a.Bucket.Text)
	case n > maxSeason:
		d.failAt("detect.anomaly.season", "found %d buckets in a season, expected at most %d: take longer buckets, or a shorter season", n, maxSeason)
	}
}

// checkFor refuses for on what holds for no time.
func (d *decoder) checkFor(r *Rule) {
	if r.For > 0 && r.Detect.Instant() {
		d.failAt("for", "%s is true at instants only, so it can never hold for %s; leave for out", r.Detect.Type, FormatDuration(r.For))
	}
	if s := r.Detect.Spike; s != nil && s.Baseline.Duration > 0 && s.Baseline.Duration < s.Window.Duration {
		d.warnAt("detect.spike.baseline", "the baseline %s is shorter than the window %s: what is usual rests on little", s.Baseline.Text, s.Window.Text)
	}
	if t := r.Detect.NewTerm; t != nil && t.Warmup > maxWarmup {
		d.warnAt("detect.new_term.warmup", "found %s: no value is new for that long", FormatDuration(t.Warmup))
	}
}

// maxWarmup is longer than anybody waits for a first alert.
const maxWarmup = 90 * 24 * time.Hour
