package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"imwatch/alerting/desk"
	"imwatch/alerting/route"
	"imwatch/alerting/silence"
	"imwatch/event"
	"imwatch/internal/store"
)

// Preview is what conditions of a silence would hold of what fires now.
type Preview struct {
	Firing     int            `json:"firing"`
	BySeverity map[string]int `json:"by_severity"`
	// Everything says that the conditions hold any alert, whatever its rule, severity and key.
	Everything bool      `json:"everything"`
	Alerts     []Preseen `json:"alerts"` // the first of them
	More       int       `json:"more"`   // beyond those
}

// Preseen is one of the alerts that would be held.
type Preseen struct {
	ID       string `json:"id"`
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Key      string `json:"key"`
}

// maxPreseen bounds how many alerts a preview names.
const maxPreseen = 20

// preview counts what conditions would hold. Alerts of rules in shadow and those about silences are not told or not held, and
// do not count.
func (a *API) preview(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	var said struct {
		Match []string `json:"match"`
	}
	if err := read(r, &said); err != nil {
		return err
	}
	list, err := route.ParseMatchers(said.Match)
	if err != nil {
		return badRequest(fmt.Errorf("match%w", err))
	}
	if err := a.look.Refresh(r.Context(), event.AlertIndices); err != nil {
		return fmt.Errorf("looking for alerts: %w", err)
	}
	firing := selection{state: event.StateFiring}
	p := Preview{BySeverity: map[string]int{}, Everything: silence.Wide(list), Alerts: []Preseen{}}
	for hit, err := range a.look.Search(r.Context(), store.Query{Indices: event.AlertIndices, Where: firing.where()}) {
		if err != nil {
			return fmt.Errorf("looking for alerts: %w", err)
		}
		var alert event.Alert
		if json.Unmarshal(hit.Body, &alert) != nil || alert.Status == "shadow" || silence.Own(alert.RuleID) || !route.MatchAll(list, &alert) {
			continue
		}
		p.Firing++
		p.BySeverity[alert.Severity]++
		if len(p.Alerts) == maxPreseen {
			p.More++
			continue
		}
		p.Alerts = append(p.Alerts, Preseen{alert.ID, alert.RuleID, alert.Severity, alert.KeyString()})
	}
	a.write(w, http.StatusOK, p)
	return nil
}
