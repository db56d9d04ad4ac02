package rule

import (
	"strings"
	"time"

	"imwatch/event"
)

// Test is one test of a rule, written in its file. Its instants are relative to the test's start.
type Test struct {
	Name      string
	Events    []TestEvent
	RestartAt *time.Duration // arrival time at which the engine is checkpointed, thrown away and restored; nil: never
	Until     *time.Duration // the clock runs on to here after the last event; nil: it ends at the greatest event time
	Expect    []Expect       // every firing; resolved and updated are compared when one of them is listed
	Line      int
}

// Span is an instant (From = To) or a range of them, both ends included.
type Span struct{ From, To time.Duration }

// Instants spreads n instants evenly over the span, both ends included; with n = 1 it is From.
func (s Span) Instants(n int) []time.Duration {
	at := make([]time.Duration, n)
	for i := range at {
		at[i] = s.From
		if n > 1 {
			at[i] += time.Duration(float64(s.To-s.From) * (float64(i) / float64(n-1))).Round(time.Microsecond)
		}
	}
	return at
}

// TestEvent is one event of a test, or several alike.
type TestEvent struct {
	At      Span  // event time
	Count   int   // how many, spread over At; at least 1
	Arrives *Span // when they arrive, spread likewise; nil: at their event time
	Set     []Assignment
	Line    int
}

// Assignment is a field of a test's event and its value.
type Assignment struct {
	Field event.Field
	Value event.Value
}

// Fill sets the test's fields on an event.
func (t *TestEvent) Fill(e *event.Event) {
	for _, a := range t.Set {
		if a.Field.ID == event.NoField {
			e.SetLabel(strings.TrimPrefix(a.Field.Name, event.LabelPrefix), a.Value.Text)
		} else {
			e.Set(a.Field.ID, a.Value)
		}
	}
}

// Expect is one expected state change. What is nil or empty is not compared, but At and State always are.
type Expect struct {
	At       time.Duration
	Within   time.Duration // tolerance around At; 0: exact
	State    string        // firing (default), updated, resolved
	Key      []event.KeyPart
	Value    *float64
	Severity string
	Summary  string // the rendered summary
	Line     int
}
