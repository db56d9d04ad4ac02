package oncall

import (
	"fmt"
	"time"

	"imwatch/alerting/hours"
)

// turns is a Rotation that is ready to be asked.
type turns struct {
	name   string
	zone   *time.Location
	start  time.Time // on the wall
	every  time.Duration
	people []string
	hours  []hours.Week
}

// MinTurn and MaxTurn bound the length of a turn.
const (
	MinTurn = time.Hour
	MaxTurn = 366 * day
)

func (r Rotation) compile(zone *time.Location, place int) (t turns, err error) {
	t = turns{name: r.Name, zone: zone, every: r.Every, people: r.People}
	if t.name == "" {
		t.name = fmt.Sprintf("rotation %d", place+1)
	}
	if t.start, err = parseWall(r.Start, zone); err != nil {
		return t, fmt.Errorf("start: %w", err)
	}
	for i, h := range r.Hours {
		s, err := h.compile()
		if err != nil {
			return t, fmt.Errorf("hours[%d].%w", i, err)
		}
		t.hours = append(t.hours, s)
	}
	return t, nil
}

// at gives who has the turn at an instant, "" outside the hours, and a time before which that does not change.
func (r *turns) at(t time.Time) (person string, until time.Time) {
	shown := highest(t, r.zone)
	if shown.Before(r.start) {
		return "", reach(r.start, r.zone)
	}
	n := int64(shown.Sub(r.start) / r.every)
	person = r.people[n%int64(len(r.people))]
	until = reach(r.start.Add(time.Duration(n+1)*r.every), r.zone)
	if len(r.hours) == 0 {
		return person, until
	}
	in, edge := within(r.hours, t, r.zone)
	if edge.Before(until) {
		until = edge
	}
	if !in {
		return "", until
	}
	return person, until
}
