package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/outbox"
)

// Group is a group in which an alert waits to be told.
type Group struct {
	Receiver string    `json:"receiver"`
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Due      time.Time `json:"due"`     // if nothing breaks through
	Waiting  int       `json:"waiting"` // notifications
}

// groups gives the groups of those notifications that wait. One that cannot be read waits for none.
func (a *API) groups(ctx context.Context, notifications []json.RawMessage) ([]Group, error) {
	entries, intervals := map[string]*outbox.Entry{}, map[string]time.Duration{}
	for _, body := range notifications {
		if e, err := outbox.Decode(body); err == nil && e.State == outbox.Pending && e.Group != "" {
			entries[e.Group], intervals[e.Group] = e, e.Interval
		}
	}
	if len(entries) == 0 {
		return nil, nil
	}
	found, err := outbox.New(a.look).Groups(ctx, intervals, a.now())
	if err != nil {
		return nil, fmt.Errorf("looking for groups: %w", err)
	}
	var list []Group
	for id, g := range found {
		e := entries[id]
		if due := g.Due(e.Interval); !due.IsZero() {
			list = append(list, Group{e.Receiver, id, e.GroupName, due.UTC(), len(g.Waiting)})
		}
	}
	slices.SortFunc(list, func(x, y Group) int { return strings.Compare(x.Receiver+"\x00"+x.ID, y.Receiver+"\x00"+y.ID) })
	return list, nil
}
