package window

import (
	"math"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

const (
	earthKm = 6371.0
	maxKmh  = 1_000_000 // the greatest speed that is told, also for being in two places at one instant
)

type travelSpec struct {
	maxKmh, minKm float64
	span          int64
}

func newTravel(r *rule.Rule, k *Kind) {
	t := r.Detect.Travel
	spec := &travelSpec{maxKmh: t.MaxKmh, minKm: t.MinKm, span: travelSpan(t.MaxKmh)}
	k.New = func() Condition { return &travel{spec: spec} }
	k.Span = spec.span
	place := filter.Exists{Field: fieldOf(event.FieldClientGeoLocation)}
	k.Selects = filter.And{r.Where, place}
	where, ignored := filter.Compile(r.Where), func(*event.Event) bool { return false }
	if t.Ignore != nil {
		k.Selects = filter.And{r.Where, place, filter.Not{X: t.Ignore}}
		ignored = filter.Compile(t.Ignore)
	}
	k.See = func(ev *event.Event) (Sight, bool) {
		v, has := ev.Get(event.FieldClientGeoLocation)
		if !has || !where(ev) || ignored(ev) {
			return Sight{}, false
		}
		lat, lon, ok := v.Point()
		return Sight{Extra: &Extra{Numbers: []float64{lat, lon}}}, ok
	}
}

func fieldOf(id event.FieldID) filter.Field {
	f := event.FieldByID(id)
	return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}
}

// travelSpan gives the time after which no place on earth is too far: half round it at the greatest speed.
func travelSpan(kmh float64) int64 {
	ns := math.Ceil(math.Pi * earthKm * (1 + 1e-9) / kmh * 3600e9) // a little more, for the rounding of a distance
	if ns >= 1<<62 {
		return 1 << 62
	}
	return int64(ns)
}

// travel is the place where the key was last.
type travel struct {
	spec     *travelSpec
	there    bool
	at       int64
	lat, lon float64
	from     int64 // instant of the place before it, its own where there is none
}

func (c *travel) Enter(o Observation) Look {
	if o.Extra == nil || len(o.Extra.Numbers) != 2 {
		return Look{}
	}
	before := *c
	c.there, c.at, c.from = true, o.At, o.At
	c.lat, c.lon = o.Extra.Numbers[0], o.Extra.Numbers[1]
	if !before.there || o.At > Add(before.at, c.spec.span) {
		return Look{}
	}
	c.from = before.at
	km := distance(before.lat, before.lon, c.lat, c.lon)
	kmh := speed(km, o.At-before.at)
	return Look{min(kmh, maxKmh), km >= c.spec.minKm && kmh > c.spec.maxKmh}
}

// speed gives km/h; where no time has passed, any distance is infinitely fast, and none is at rest.
func speed(km float64, ns int64) float64 {
	switch {
	case km == 0:
		return 0
	case ns == 0:
		return math.Inf(1)
	}
	return km / (float64(ns) / 3600e9)
}

// distance gives km along the surface. The conversions keep a compiler from fusing operations, which would give other
// last digits on other machines.
func distance(lat1, lon1, lat2, lon2 float64) float64 {
	const rad = math.Pi / 180
	north, east := math.Sin((lat2-lat1)*rad/2), math.Sin((lon2-lon1)*rad/2)
	h := float64(north*north) + float64(float64(math.Cos(lat1*rad)*math.Cos(lat2*rad))*float64(east*east))
	return 2 * earthKm * math.Asin(math.Sqrt(min(1, h)))
}

func (c *travel) Advance(int64) Look { return Look{} }

func (c *travel) Next() int64 { return Never }

func (c *travel) Since(int64) int64 {
	if !c.there {
		return Never
	}
	return c.from
}

func (c *travel) Expiry() int64 {
	if !c.there {
		return None
	}
	return Add(Add(c.at, c.spec.span), 1)
}

func (c *travel) Encode(e *Encoder) {
	e.Bool(c.there)
	if c.there {
		e.Int(c.at)
		e.Int(c.from)
		e.Float(c.lat)
		e.Float(c.lon)
	}
}

func (c *travel) Decode(d *Decoder) {
	if c.there = d.Bool(); !c.there {
		return
	}
	c.at, c.from, c.lat, c.lon = d.Int(), d.Int(), d.Float(), d.Float()
	if c.from > c.at || math.Abs(c.lat) > 90 || math.Abs(c.lon) > 180 {
		d.Fail()
	}
}
