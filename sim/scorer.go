package sim

import (
	"math"
	"slices"
	"strings"
	"time"
)

// scorer holds the truth and what was found of it.
type scorer struct {
	labels []Label
	first  []time.Time // by label: its first alert; zero: none
	lines  []*ScoreLine
	delays map[string][]float64
	report ScoreReport
}

// allName is the scenario's name on the line of all.
const allName = "all"

// ownRules begin the ids of what the pipeline tells of itself, as that a node's log ends: no label is about that, and
// such alerts are neither right nor wrong.
const ownRules = "imwatch-"

func newScorer(labels []Label) *scorer {
	s := &scorer{labels: labels, first: make([]time.Time, len(labels)), delays: map[string][]float64{}}
	s.report.Rules, s.report.Missed, s.report.Wrong = map[string]int{}, []Label{}, []WrongAlert{}
	for _, l := range labels {
		s.line(l.Scenario)
	}
	return s
}

func (s *scorer) score(spells []spell) ScoreReport {
	s.report.All.Scenario = allName
	for _, sp := range spells {
		s.judge(sp)
	}
	for i, l := range s.labels {
		if l.Kind == Anomaly {
			s.found(l, s.first[i])
		}
	}
	for _, l := range s.lines {
		l.sum(s.delays[l.Scenario])
		s.report.Scenarios = append(s.report.Scenarios, *l)
	}
	var all []float64
	for _, l := range s.lines {
		all = append(all, s.delays[l.Scenario]...)
	}
	s.report.All.sum(all)
	return s.report
}

// judge finds the labels that an alert belongs to. One alert may belong to several anomalies that overlap.
func (s *scorer) judge(sp spell) {
	scenario, right := "", false
	for i, l := range s.labels {
		if l.Kind != Anomaly || !l.matches(sp) {
			continue
		}
		if s.first[i].IsZero() || sp.detected.Before(s.first[i]) {
			s.first[i] = sp.detected
		}
		if !right {
			scenario, right = l.Scenario, true
		}
	}
	if !right && strings.HasPrefix(sp.rule, ownRules) {
		return
	}
	wrong := WrongAlert{ID: sp.id, Rule: sp.rule, Key: sp.key, From: sp.from}
	if !right {
		for _, l := range s.labels {
			if l.overlaps(sp) && scenario == "" {
				scenario = l.Scenario
			}
			if l.Kind == Benign && (len(l.Rules) > 0 || l.Key != nil) && l.matches(sp) {
				wrong.Benign, scenario = true, l.Scenario
			}
		}
		wrong.Scenario = scenario
		s.report.Wrong = append(s.report.Wrong, wrong)
	} else {
		s.report.Rules[sp.rule]++
	}
	s.each(scenario, func(l *ScoreLine) {
		l.Alerts++
		if right {
			l.Right++
		}
	})
}

func (s *scorer) found(l Label, at time.Time) {
	s.each(l.Scenario, func(line *ScoreLine) {
		line.Anomalies++
		if at.IsZero() {
			return
		}
		line.Detected++
		if !l.ImpactAt.IsZero() && at.Before(l.ImpactAt) {
			line.BeforeImpact++
		}
	})
	if at.IsZero() {
		s.report.Missed = append(s.report.Missed, l)
		return
	}
	s.delays[l.Scenario] = append(s.delays[l.Scenario], max(0, at.Sub(l.From).Seconds()))
}

// each calls f on the scenario's line, where there is one, and on the line of all.
func (s *scorer) each(scenario string, f func(*ScoreLine)) {
	if scenario != "" {
		f(s.line(scenario))
	}
	f(&s.report.All)
}

func (s *scorer) line(scenario string) *ScoreLine {
	for _, l := range s.lines {
		if l.Scenario == scenario {
			return l
		}
	}
	l := &ScoreLine{Scenario: scenario}
	s.lines = append(s.lines, l)
	return l
}

func (l Label) matches(sp spell) bool {
	if len(l.Rules) > 0 && !slices.Contains(l.Rules, sp.rule) {
		return false
	}
	for field, value := range l.Key {
		if v, ok := sp.key[field]; !ok || v != value {
			return false
		}
	}
	return l.overlaps(sp)
}

func (l Label) overlaps(sp spell) bool {
	return !sp.to.Before(l.From.Add(-time.Second)) && !sp.from.After(l.To.Add(Tolerance))
}

// sum works the shares out.
func (l *ScoreLine) sum(delays []float64) {
	l.Precision, l.Recall = share(l.Right, l.Alerts), share(l.Detected, l.Anomalies)
	if l.Precision+l.Recall > 0 {
		l.F1 = 2 * l.Precision * l.Recall / (l.Precision + l.Recall)
	}
	if len(delays) == 0 {
		return
	}
	slices.Sort(delays)
	total := 0.0
	for _, d := range delays {
		total += d
	}
	l.TimeToDetect = Delays{
		Mean: total / float64(len(delays)), P50: nearestRank(delays, 50), P95: nearestRank(delays, 95), Max: delays[len(delays)-1],
	}
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

// nearestRank gives the p-th percentile of sorted values by nearest rank, as rules do.
func nearestRank(sorted []float64, p float64) float64 {
	return sorted[max(0, int(math.Ceil(p/100*float64(len(sorted))))-1)]
}
