package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/event"
	"imwatch/event/filter"
)

func TestGroups(t *testing.T) {
	user := filter.Field{Name: "user.id", ID: event.FieldUserID}
	category := filter.Field{Name: "event.category", ID: event.FieldEventCategory}
	g := NewGroups([]filter.Field{user, category}, time.Minute)
	var e event.Event
	e.SetTime(event.FieldTimestamp, time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC))
	e.SetText(event.FieldUserID, "u")
	e.SetList(event.FieldEventCategory, "a", "b", "a")
	e.SetFloat(event.FieldSampleWeight, 2.5)
	g.Add(&e)
	g.Add(&e)
	e.Reset()
	g.Add(&e)
	g.Merge(Bucket{Key: []string{"u", "a", "1969-12-31T23:59:00.000Z"}, Absent: make([]bool, 3), Count: 10, Weight: 1})
	want := []Bucket{
		{[]string{"u", "a", "1969-12-31T23:59:00.000Z"}, []bool{false, false, false}, 12, 6},
		{[]string{"u", "b", "1969-12-31T23:59:00.000Z"}, []bool{false, false, false}, 2, 5},
		{[]string{"", "", ""}, []bool{true, true, true}, 1, 1},
	}
	if diff := cmp.Diff(want, g.All()); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

// TestGroupKeys has keys that a separator or a length could mix up.
func TestGroupKeys(t *testing.T) {
	g := NewGroups(nil, 0)
	keys := [][]string{{"a", "b"}, {"ab", ""}, {"", "ab"}, {"a\x02", "b"}, {"", ""}, {"\x00", ""}}
	for _, k := range keys {
		g.Merge(Bucket{Key: k, Absent: []bool{false, false}, Count: 1})
		g.Merge(Bucket{Key: []string{k[0], ""}, Absent: []bool{false, true}, Count: 1})
	}
	g.Merge(Bucket{Key: []string{"", ""}, Absent: []bool{true, true}, Count: 1})
	if len(g.All()) != 6+5+1 { // "" begins two of the keys
		t.Errorf("%d groups: %v", len(g.All()), g.All())
	}
}
