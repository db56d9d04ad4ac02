package alerting

import (
	"context"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/route"
	"imwatch/event"
)

// Item is what passes through the stages: a state change of an alert, and from the route on, for one receiver.
type Item struct {
	Alert   event.Alert
	Line    []byte // the alert line as it came
	Kind    channel.Kind
	Moment  time.Time    // of the state change; for a repeat, when it was due
	Before  Before       // the state before this one
	account account      // who is told
	KeptAt  time.Time    // when this state was first kept: what repeats are counted from
	Target  route.Target // from the route on
	Message channel.Message
}

// Before names the state of an alert that another one followed. The zero Before: there was none.
type Before struct {
	Kind     channel.Kind `json:"kind"`
	Moment   time.Time    `json:"moment"`
	Severity string       `json:"severity,omitempty"`
}

// Stage is one step between the bus and the outbox. It returns the items that go on. Doing the same again must do no
// harm: after an error, which is one that may pass (the store), the whole line is run again with the same items.
type Stage interface {
	Exec(ctx context.Context, items []Item) ([]Item, error)
}

// StageFunc is a function as a Stage.
type StageFunc func(ctx context.Context, items []Item) ([]Item, error)

// Exec calls f.
func (f StageFunc) Exec(ctx context.Context, items []Item) ([]Item, error) { return f(ctx, items) }

// Line is stages one behind the other.
type Line []Stage

// Exec runs the stages until nothing is left.
func (l Line) Exec(ctx context.Context, items []Item) ([]Item, error) {
	for _, s := range l {
		var err error
		if items, err = s.Exec(ctx, items); err != nil || len(items) == 0 {
			return nil, err
		}
	}
	return items, nil
}
