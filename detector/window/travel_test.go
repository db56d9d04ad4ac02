package window

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

func travelRule(kmh, km float64) *rule.Rule {
	return &rule.Rule{ID: "r", Where: filter.All{}, Detect: rule.Detect{Type: rule.TypeTravel, Travel: &rule.Travel{MaxKmh: kmh, MinKm: km}}}
}

// naiveTravel compares each place with the one before, whenever that was.
func naiveTravel(tr *rule.Travel, obs []Observation) (held []shown) {
	for i := 1; i < len(obs); i++ {
		a, b := obs[i-1], obs[i]
		km := onTheSphere(a.Extra.Numbers, b.Extra.Numbers)
		hours := time.Duration(b.At - a.At).Hours()
		kmh := km / hours // +Inf at one instant
		if km > 0 && km >= tr.MinKm && kmh > tr.MaxKmh {
			held = append(held, shown{b.At, i, math.Round(min(kmh, 1e6))})
		}
	}
	return held
}

// onTheSphere gives the distance by the angle between two vectors.
func onTheSphere(a, b []float64) float64 {
	xyz := func(p []float64) [3]float64 {
		lat, lon := p[0]*math.Pi/180, p[1]*math.Pi/180
		return [3]float64{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), math.Sin(lat)}
	}
	u, v := xyz(a), xyz(b)
	cross := [3]float64{u[1]*v[2] - u[2]*v[1], u[2]*v[0] - u[0]*v[2], u[0]*v[1] - u[1]*v[0]}
	dot := u[0]*v[0] + u[1]*v[1] + u[2]*v[2]
	return 6371 * math.Atan2(math.Sqrt(cross[0]*cross[0]+cross[1]*cross[1]+cross[2]*cross[2]), dot)
}

// rounded rounds the values of another condition, which differ in the last digits between two formulas.
type rounded struct{ Condition }

func (c rounded) Enter(o Observation) Look {
	l := c.Condition.Enter(o)
	l.Value = math.Round(l.Value)
	return l
}

func TestTravelIsItsDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := travelRule(rapid.SampledFrom([]float64{100, 900, 5000}).Draw(t, "max_kmh"), rapid.SampledFrom([]float64{0, 100, 3000}).Draw(t, "min_km"))
		k, err := NewKind(r)
		k = mustKind(t, k, err)
		inner := k.New
		k.New = func() Condition { return rounded{inner()} }
		places := [][]float64{{31.2, 121.5}, {39.9, 116.4}, {39.91, 116.41}, {-33.9, 151.2}, {-31.2, -58.5}, {90, 0}, {0, 180}, {0, -180}}
		obs := make([]Observation, rapid.IntRange(0, 12).Draw(t, "events"))
		at := int64(0)
		for i := range obs {
			at += rapid.SampledFrom([]int64{0, 1, 3, 12, 30, 250, 500}).Draw(t, "hours") * int64(time.Hour)
			obs[i] = Observation{At: at, Sight: Sight{Extra: &Extra{Numbers: rapid.SampledFrom(places).Draw(t, "place")}}}
		}
		checkCondition(t, k, obs, at, naiveTravel(r.Detect.Travel, obs))
	})
}

// After the span nothing on earth is too far, and a moment before, the other side of it is.
func TestTravelSpanIsExact(t *testing.T) {
	t.Parallel()
	for _, kmh := range []float64{1e-9, 1, 900, 1e9} {
		k, err := NewKind(travelRule(kmh, 0))
		k = mustKind(t, k, err)
		from := Observation{Sight: Sight{Extra: &Extra{Numbers: []float64{0, 0}}}}
		to := Observation{At: k.Span, Sight: Sight{Extra: &Extra{Numbers: []float64{0, 180}}}}
		c := k.New()
		c.Enter(from)
		if l := c.Enter(to); l.Holds && kmh > 1 {
			t.Errorf("above %v km/h: %+v after the whole span", kmh, l)
		}
		to.At -= to.At/1_000_000 + 1
		c = k.New()
		c.Enter(from)
		if l := c.Enter(to); !l.Holds {
			t.Errorf("above %v km/h: %+v a little before", kmh, l)
		}
	}
}

func TestTravelSees(t *testing.T) {
	t.Parallel()
	ip := filter.Field{Name: "client.ip", ID: event.FieldClientIP, Type: event.IP}
	r := travelRule(900, 100)
	r.Where = filter.Exists{Field: filter.Field{Name: "user.id", ID: event.FieldUserID, Type: event.Keyword}}
	r.Detect.Travel.Ignore = filter.CIDR{Field: ip, Prefix: "10.0.0.0/8"}
	k, err := NewKind(r)
	k = mustKind(t, k, err)
	for name, c := range map[string]struct {
		user, ip, place string
		want            []float64
	}{
		"an object":       {"u", "192.0.2.1", `{"lat":31.5,"lon":121}`, []float64{31.5, 121}},
		"text":            {"u", "192.0.2.1", "31.5, 121", []float64{31.5, 121}},
		"longitude,first": {"u", "192.0.2.1", "[121, 31.5]", []float64{31.5, 121}},
		"no place":        {"u", "192.0.2.1", "", nil},
		"no such place":   {"u", "192.0.2.1", "[31.5, 121]", nil},
		"ignored":         {"u", "10.1.2.3", "31.5,121", nil},
		"no address":      {"u", "", "31.5,121", []float64{31.5, 121}},
		"not of where":    {"", "192.0.2.1", "31.5,121", nil},
	} {
		e := &event.Event{}
		e.Begin(event.ActionConnect, time.Unix(0, 0))
		e.SetText(event.FieldUserID, c.user)
		if c.ip != "" {
			e.Set(event.FieldClientIP, event.IPValue(c.ip))
		}
		if c.place != "" {
			e.Set(event.FieldClientGeoLocation, event.Value{Type: event.GeoPoint, Text: c.place})
		}
		s, ok := k.See(e)
		if got := fmt.Sprint(s.Extra); ok != (c.want != nil) || ok && got != fmt.Sprint(&Extra{Numbers: c.want}) {
			t.Errorf("%s: %v %s, want %v", name, ok, got, c.want)
		}
		if filter.Compile(k.Selects)(e) != ok && c.place != "[31.5, 121]" {
			t.Errorf("%s: what others may look for beforehand says %t", name, !ok)
		}
	}
}

func BenchmarkTravel(b *testing.B) {
	k, err := NewKind(travelRule(900, 100))
	c := mustKind(b, k, err).New()
	o := Observation{Sight: Sight{Extra: &Extra{Numbers: []float64{31.2, 121.5}}}}
	for b.Loop() {
		o.At += int64(time.Minute)
		o.Extra.Numbers[0] = -o.Extra.Numbers[0]
		c.Enter(o)
	}
	b.ReportMetric(float64(Size(c)), "B")
}
