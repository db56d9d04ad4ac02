package window

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

func newTermRule(history, warmup int64) *rule.Rule {
	n := &rule.NewTerm{
		Field:   filter.Field{Name: "client.geo.country_iso_code", ID: event.FieldClientGeoCountry, Type: event.Keyword},
		History: rule.Length{Duration: time.Duration(history)}, Warmup: time.Duration(warmup),
	}
	return &rule.Rule{ID: "r", Where: filter.All{}, Detect: rule.Detect{Type: rule.TypeNewTerm, NewTerm: n}}
}

// naiveSeen tells the events before which the value was not there for the length of history.
func naiveSeen(history int64, obs []Observation) (held []shown) {
	for i, o := range obs {
		known := false
		for _, before := range obs[:i] {
			known = known || o.At-before.At < history
		}
		if !known && o.Bits&Warming == 0 {
			held = append(held, shown{o.At, i, 1})
		}
	}
	return held
}

// naiveWarming tells the events of a key that come less than warmup after its first one; a key that was silent for ten
// histories and warmup begins anew.
func naiveWarming(history, warmup int64, obs []Observation) (held []shown) {
	first := int64(0)
	for i, o := range obs {
		if i == 0 || o.At-obs[i-1].At >= 10*history+warmup {
			first = o.At
		}
		if o.At-first < warmup {
			held = append(held, shown{o.At, i, 0})
		}
	}
	return held
}

func TestNewTermIsItsDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		history, warmup := rapid.Int64Range(1, 8).Draw(t, "history"), rapid.Int64Range(0, 6).Draw(t, "warmup")
		k, err := NewKind(newTermRule(history, warmup))
		k = mustKind(t, k, err)
		obs := drawObservations(t, 20, 1)
		own := rapid.Bool().Draw(t, "of the key") && warmup > 0
		for i := range obs {
			switch {
			case own:
				obs[i].Bits = OfKey
				if i > 0 {
					obs[i].At = obs[i-1].At + rapid.SampledFrom([]int64{0, 1, 3, 10 * history, 10*history + warmup - 1, 10*history + warmup}).Draw(t, "gap")
				}
			case rapid.Bool().Draw(t, "warming"):
				obs[i].Bits = Warming
			default:
				obs[i].Bits = 0
			}
		}
		want := naiveSeen(history, obs)
		if own {
			want = naiveWarming(history, warmup, obs)
		}
		checkCondition(t, k, obs, Never-1, want)
	})
}

func TestNewTermSees(t *testing.T) {
	t.Parallel()
	for _, warmup := range []int64{0, 1} {
		k, err := NewKind(newTermRule(5, warmup))
		k = mustKind(t, k, err)
		e := &event.Event{}
		e.Begin(event.ActionConnect, time.Unix(0, 0))
		if _, ok := k.See(e); ok != (warmup > 0) || filter.Compile(k.Selects)(e) != ok {
			t.Errorf("warmup %d: an event without the field is seen: %t", warmup, ok)
		}
		e.SetText(event.FieldClientGeoCountry, "CN")
		if _, ok := k.See(e); !ok || !filter.Compile(k.Selects)(e) {
			t.Errorf("warmup %d: an event with the field is not seen", warmup)
		}
	}
}

func patternKinds(t interface{ Fatal(...any) }) (kinds []Kind) {
	for _, r := range []*rule.Rule{
		sequenceRule(10, rule.Step{}, rule.Step{Times: 3}), sequenceRule(10, rule.Step{Times: 2}, rule.Step{Not: true}),
		travelRule(900, 100), newTermRule(10, 5),
	} {
		k, err := NewKind(r)
		kinds = append(kinds, mustKind(t, k, err))
	}
	return kinds
}
