package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"imwatch/alerting/outbox"
	"imwatch/alerting/route"
	"imwatch/event"
	"imwatch/internal/store"
)

// early is by how much the time of an alert's first line may be ahead of the clock by which it was decided whom to tell.
const early = time.Hour

// group gives what a link about a group stands for: the alerts that fire of those that its receiver was told of in it, and
// the conditions that all of the group satisfy.
func (a *API) group(ctx context.Context, id string) (on subject, err error) {
	for _, pattern := range []string{outbox.Indices, event.AlertIndices} {
		if err := a.look.Refresh(ctx, pattern); err != nil {
			return on, fmt.Errorf("looking for a group: %w", err)
		}
	}
	ledger := outbox.New(a.look)
	if on.match, err = ledger.GroupMatch(ctx, id); err != nil {
		return on, fmt.Errorf("opening a link: %w", err)
	}
	matchers, err := route.ParseMatchers(on.match)
	if err != nil || len(matchers) == 0 {
		return on, &refusal{http.StatusNotFound, "there is no such group any more"}
	}
	firing, err := a.matching(ctx, matchers)
	if err != nil || len(firing) == 0 {
		return on, err
	}
	since := firing[0].From
	for _, alert := range firing {
		if alert.From.Before(since) {
			since = alert.From
		}
	}
	told, err := ledger.GroupTold(ctx, id, since.Add(-early))
	if err != nil {
		return on, fmt.Errorf("opening a link: %w", err)
	}
	for _, alert := range firing {
		if told[alert.ID] {
			on.alerts = append(on.alerts, alert)
		}
	}
	return on, nil
}

// matching gives the alerts that fire and satisfy all conditions. One that cannot be read is left out.
func (a *API) matching(ctx context.Context, matchers []route.Matcher) (list []*event.Alert, err error) {
	s := selection{state: event.StateFiring}
	for hit, err := range a.look.Search(ctx, store.Query{Indices: event.AlertIndices, Where: s.where()}) {
		if err != nil {
			return nil, fmt.Errorf("looking for alerts: %w", err)
		}
		alert := new(event.Alert)
		if json.Unmarshal(hit.Body, alert) == nil && route.MatchAll(matchers, alert) {
			list = append(list, alert)
		}
	}
	return list, nil
}
