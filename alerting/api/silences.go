package api

import (
	"fmt"
	"net/http"
	"time"

	"imwatch/alerting/desk"
	"imwatch/alerting/silence"
)

func (a *API) silences(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	q := r.URL.Query()
	if err := known(q, "state"); err != nil {
		return badRequest(err)
	}
	state := q.Get("state")
	if q.Has("state") && state != "active" && state != "all" {
		return badRequest(fmt.Errorf("state: found %q, expected active or all", state))
	}
	now := a.now()
	list := []*silence.Silence{}
	for _, s := range a.desk.Silences() {
		if state == "all" || s.Over(now).IsZero() {
			list = append(list, s)
		}
	}
	a.write(w, http.StatusOK, map[string]any{"silences": list})
	return nil
}

func (a *API) silence(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	id := r.PathValue("id")
	for _, s := range a.desk.Silences() {
		if s.ID == id {
			a.write(w, http.StatusOK, s)
			return nil
		}
	}
	return fmt.Errorf("silence %q: %w", id, desk.ErrUnknown)
}

// wanted is a silence as a caller asks for it: until when, or for how long.
type wanted struct {
	Match  []string         `json:"match"`
	Author string           `json:"author"`
	Reason string           `json:"reason"`
	From   time.Time        `json:"from"`
	Until  time.Time        `json:"until"`
	For    string           `json:"for"`
	Weekly []silence.Weekly `json:"weekly"`
}

func (a *API) addSilence(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var said wanted
	if err := read(w, r, &said); err != nil {
		return err
	}
	if said.For != "" {
		d, err := time.ParseDuration(said.For)
		if err != nil || !said.Until.IsZero() {
			return badRequest(fmt.Errorf("for: found %q, expected a duration such as 1h30m, and no until beside it", said.For))
		}
		from := said.From
		if from.IsZero() {
			from = a.now()
		}
		said.Until = from.Add(d).UTC()
	}
	s, err := a.desk.AddSilence(r.Context(), who, silence.Silence{
		Match: said.Match, Author: said.Author, Reason: said.Reason, From: said.From, Until: said.Until, Weekly: said.Weekly,
	})
	if err != nil {
		return faulty(err)
	}
	w.Header().Set("Location", "/api/v1/silences/"+s.ID)
	a.write(w, http.StatusCreated, s)
	return nil
}

func (a *API) endSilence(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	s, err := a.desk.EndSilence(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err //nolint:wrapcheck // answer knows its kinds
	}
	a.write(w, http.StatusOK, s)
	return nil
}

// auditDefault is how far back the audit is shown where nothing is said.
const auditDefault = 7 * 24 * time.Hour

func (a *API) audit(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	if err := known(r.URL.Query(), "from", "to"); err != nil {
		return badRequest(err)
	}
	from, to := a.now().Add(-auditDefault), a.now().Add(time.Second)
	for _, b := range []struct {
		name string
		at   *time.Time
	}{{"from", &from}, {"to", &to}} {
		if !r.URL.Query().Has(b.name) {
			continue
		}
		text := r.URL.Query().Get(b.name)
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return badRequest(fmt.Errorf("%s: found %q, expected a time such as 2026-11-21T10:00:00Z", b.name, text))
		}
		*b.at = t
	}
	list, err := a.desk.Audit(r.Context(), from, to)
	if err != nil {
		return err //nolint:wrapcheck // answer knows its kinds
	}
	if list == nil {
		list = []desk.Entry{}
	}
	a.write(w, http.StatusOK, map[string]any{"entries": list})
	return nil
}
