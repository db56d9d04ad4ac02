package api

import (
	"fmt"
	"net/http"
	"time"

	"imwatch/alerting/desk"
	"imwatch/alerting/silence"
)

// Silence is a silence as it stands now.
type Silence struct {
	*silence.Silence
	On    bool      `json:"on"`              // it holds alerts now
	Since time.Time `json:"since,omitzero"`  // of the stretch that is on, or is the next within a week
	To    time.Time `json:"to,omitzero"`     // the end of that stretch; none: never
	Fixed bool      `json:"fixed,omitempty"` // it stands in the configuration and is changed there
}

// ahead is how far the next stretch of a silence is looked for.
const ahead = 8 * 24 * time.Hour

func (a *API) shown(s *silence.Silence) Silence {
	now := a.now()
	v := Silence{Silence: s, Fixed: a.desk.Fixed(s.ID)}
	if list := s.Stretches(now, now.Add(ahead)); len(list) > 0 {
		v.Since, v.To = list[0].From.UTC(), list[0].Until.UTC()
		v.On = !list[0].From.After(now)
	}
	return v
}

func (a *API) silences(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	q := r.URL.Query()
	if err := known(q, "state", "kind"); err != nil {
		return badRequest(err)
	}
	state, kind := q.Get("state"), q.Get("kind")
	if q.Has("state") && state != "active" && state != "all" {
		return badRequest(fmt.Errorf("state: found %q, expected active or all", state))
	}
	if q.Has("kind") && kind != "silence" && kind != silence.Maintenance {
		return badRequest(fmt.Errorf("kind: found %q, expected silence or maintenance", kind))
	}
	now := a.now()
	list := []Silence{}
	for _, s := range a.desk.Silences() {
		if (state == "all" || s.Over(now).IsZero()) && (kind == "" || (kind == silence.Maintenance) == (s.Kind == silence.Maintenance)) {
			list = append(list, a.shown(s))
		}
	}
	a.write(w, http.StatusOK, map[string]any{"silences": list})
	return nil
}

func (a *API) silence(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	id := r.PathValue("id")
	for _, s := range a.desk.Silences() {
		if s.ID == id {
			a.write(w, http.StatusOK, a.shown(s))
			return nil
		}
	}
	return fmt.Errorf("silence %q: %w", id, desk.ErrUnknown)
}

func (a *API) endSilence(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	s, err := a.desk.EndSilence(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err //nolint:wrapcheck // answer knows its kinds
	}
	a.write(w, http.StatusOK, a.shown(s))
	return nil
}
