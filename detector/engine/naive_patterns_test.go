package engine_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// isInstant says whether what was drawn holds at instants only.
func isInstant(detect string) bool {
	return slices.ContainsFunc([]string{"sequence:", "travel:", "new_term:"}, func(t string) bool { return strings.HasPrefix(detect, t) })
}

// naiveSequence follows each start by itself.
func naiveSequence() naiveKind {
	return naiveKind{
		truth: func(r *rule.Rule, events []*event.Event, t int64, settled bool) (float64, bool) {
			s := r.Detect.Sequence
			trails := s.Steps[len(s.Steps)-1].Not
			if settled != trails {
				return 0, false
			}
			events = slices.DeleteFunc(slices.Clone(events), func(e *event.Event) bool { return !matches(r, e) })
			for first, e := range events {
				age := t - e.UnixNano()
				if age > int64(s.Within.Duration) || trails && age != int64(s.Within.Duration) || !stepMatches(s.Steps[0], e) {
					continue
				}
				ends := naiveEnds(s, events, first)
				if trails && len(ends) > 0 || !trails && slices.Contains(ends, len(events)-1) {
					return time.Duration(age).Seconds(), true
				}
			}
			return 0, false
		},
		enters: func(r *rule.Rule, e *event.Event) bool {
			return matches(r, e) && slices.ContainsFunc(r.Detect.Sequence.Steps, func(s rule.Step) bool { return stepMatches(s, e) })
		},
		after: func(r *rule.Rule) []time.Duration { return []time.Duration{r.Detect.Sequence.Within.Duration} },
		ends: func(r *rule.Rule, events []*event.Event, t int64) bool {
			_, holds := naiveSequence().truth(r, events, t, true)
			return holds
		},
	}
}

func stepMatches(s rule.Step, e *event.Event) bool { return filter.Compile(s.Where)(e) }

// naiveEnds gives the events that a chain from a start can have come to after all its steps. Steps that must not happen
// take away what one of their events came after.
func naiveEnds(s *rule.Sequence, events []*event.Event, first int) []int {
	var ends []int // where the chain can stand; nil: before its start
	for i, step := range s.Steps {
		for n := range step.Times {
			var next []int
			for j, e := range events {
				switch {
				case step.Not || !stepMatches(step, e):
				case i == 0 && n == 0 && j == first:
					next = append(next, j)
				case (i > 0 || n > 0) && slices.ContainsFunc(ends, func(before int) bool { return before < j && !naiveBarred(s, i, n, events[before+1:j]) }):
					next = append(next, j)
				}
			}
			if !step.Not {
				ends = next
			}
		}
	}
	if last := len(s.Steps); s.Steps[last-1].Not {
		ends = slices.DeleteFunc(ends, func(end int) bool { return naiveBarred(s, last, 0, events[end+1:]) })
	}
	return ends
}

// naiveBarred says whether one of the events between must not have happened before the n-th time of step i.
func naiveBarred(s *rule.Sequence, i, n int, between []*event.Event) bool {
	for j := i - 1; n == 0 && j >= 0 && s.Steps[j].Not; j-- {
		if slices.ContainsFunc(between, func(e *event.Event) bool { return stepMatches(s.Steps[j], e) }) {
			return true
		}
	}
	return false
}

func drawSequence(t *rapid.T) string {
	var steps []string
	for i := range rapid.IntRange(2, 4).Draw(t, "steps") {
		step := "{where: '" + rapid.SampledFrom([]string{
			"client.ip: 192.0.2.1", "client.ip: 192.0.2.2", "client.ip: *", "not client.ip: *", "event.action: connect", "event.type: start",
		}).Draw(t, "step") + "'"
		switch {
		case i > 0 && rapid.IntRange(0, 2).Draw(t, "not") == 0:
			step += ", not: true"
		case rapid.IntRange(0, 2).Draw(t, "several") == 0:
			step += ", times: 2"
		}
		steps = append(steps, step+"}")
	}
	return fmt.Sprintf("sequence: {steps: [%s], within: %ds}", strings.Join(steps, ", "), rapid.IntRange(1, 12).Draw(t, "within"))
}

// naiveTravel looks for the place before, however long ago it was.
func naiveTravel() naiveKind {
	return naiveKind{
		truth: func(r *rule.Rule, events []*event.Event, t int64, settled bool) (float64, bool) {
			events = slices.DeleteFunc(slices.Clone(events), func(e *event.Event) bool { return !naivePlace(r, e) })
			if n := len(events); !settled && n > 1 {
				a, b := events[n-2], events[n-1]
				km := haversine(a, b)
				kmh := km / time.Duration(b.UnixNano()-a.UnixNano()).Hours()
				return min(kmh, 1e6), km > 0 && km >= r.Detect.Travel.MinKm && kmh > r.Detect.Travel.MaxKmh
			}
			return 0, false
		},
		enters: naivePlace,
		after:  func(*rule.Rule) []time.Duration { return nil },
	}
}

func naivePlace(r *rule.Rule, e *event.Event) bool {
	v, has := e.Get(event.FieldClientGeoLocation)
	if !has || !matches(r, e) || r.Detect.Travel.Ignore != nil && filter.Compile(r.Detect.Travel.Ignore)(e) {
		return false
	}
	_, _, ok := v.Point()
	return ok
}

func haversine(a, b *event.Event) float64 {
	place := func(e *event.Event) (lat, lon float64) {
		v, _ := e.Get(event.FieldClientGeoLocation)
		lat, lon, _ = v.Point()
		return lat, lon
	}
	lat1, lon1 := place(a)
	lat2, lon2 := place(b)
	const rad = math.Pi / 180
	u, v := math.Sin((lat2-lat1)*rad/2), math.Sin((lon2-lon1)*rad/2)
	return 2 * 6371 * math.Asin(math.Sqrt(min(1, u*u+math.Cos(lat1*rad)*math.Cos(lat2*rad)*(v*v))))
}

func drawPlace(t *rapid.T, e *event.Event) {
	if place := rapid.SampledFrom([]string{"", "", "31.2,121.5", "[121.5, 31.201]", `{"lat":31.3,"lon":121.5}`, "-31.2,-58.5"}).Draw(t, "place"); place != "" {
		e.Set(event.FieldClientGeoLocation, event.Value{Type: event.GeoPoint, Text: place})
	}
}

func drawTravel(t *rapid.T) string {
	detect := fmt.Sprintf("travel: {max_kmh: %d, min_km: %v", rapid.SampledFrom([]int{900, 20_000, 90_000_000}).Draw(t, "max_kmh"),
		rapid.SampledFrom([]float64{0, 0.1, 5}).Draw(t, "min_km"))
	if rapid.Bool().Draw(t, "ignores") {
		detect += ", ignore: 'client.ip: 192.0.2.1'"
	}
	return detect + "}"
}

// naiveNewTerm looks for the value among all events before.
func naiveNewTerm(value string) naiveKind {
	has := func(r *rule.Rule, e *event.Event) bool {
		return matches(r, e) && slices.Contains(naiveTexts(r.Detect.NewTerm.Field, e), value)
	}
	return naiveKind{
		truth: func(r *rule.Rule, events []*event.Event, t int64, settled bool) (float64, bool) {
			if settled || naiveWarming(r, events, t) {
				return 1, false
			}
			known := slices.ContainsFunc(events[:len(events)-1], func(e *event.Event) bool {
				return has(r, e) && t-e.UnixNano() < int64(r.Detect.NewTerm.History.Duration)
			})
			return 1, !known
		},
		enters: has,
		after:  func(*rule.Rule) []time.Duration { return nil },
	}
}

func naiveTexts(f filter.Field, e *event.Event) (texts []string) {
	if v, ok := f.Value(e); ok {
		v.Each(func(v event.Value) bool {
			texts = append(texts, v.Text)
			return true
		})
	}
	return texts
}

// naiveWarming says whether the key's first event lies less than warmup before t. After ten histories and warmup
// without an event the next one is the first.
func naiveWarming(r *rule.Rule, events []*event.Event, t int64) bool {
	n := r.Detect.NewTerm
	first, last := int64(math.MinInt64), int64(math.MinInt64)
	for _, e := range events {
		if !matches(r, e) {
			continue
		}
		if last == math.MinInt64 || e.UnixNano()-last >= int64(10*n.History.Duration+n.Warmup) {
			first = e.UnixNano()
		}
		last = e.UnixNano()
	}
	return t-first < int64(n.Warmup)
}

func drawNewTerm(t *rapid.T) string {
	return fmt.Sprintf("new_term: {field: FIELD, history: %ds, warmup: %ds}", rapid.IntRange(1, 5).Draw(t, "history"), rapid.IntRange(0, 9).Draw(t, "warmup"))
}

// drawField draws a field that is not in group_by.
func drawField(t *rapid.T, group string) string {
	fields := []string{"client.ip", "event.action"}
	if !strings.Contains(group, "event.type") {
		fields = append(fields, "event.type")
	}
	return rapid.SampledFrom(fields).Draw(t, "field")
}
