package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/desk"
	"imwatch/alerting/oncall"
	"imwatch/event"
)

// OnCall says who is on call in a schedule at an instant, and who is next.
type OnCall struct {
	oncall.Duty
	Next *oncall.Duty `json:"next,omitempty"`
}

// longestShifts bounds the time for which shifts are given at once.
const longestShifts = 400 * 24 * time.Hour

// instant reads a time of a query; otherwise is for where it is not given.
func instant(q url.Values, name string, otherwise time.Time) (time.Time, error) {
	if !q.Has(name) {
		return otherwise, nil
	}
	text := q.Get(name)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		return t, badRequest(fmt.Errorf("%s: found %q, expected a time such as 2026-11-21T10:00:00Z", name, text))
	}
	return t, nil
}

// schedules gives those that are asked for: all, or the one that is named.
func (a *API) schedules(q url.Values) ([]string, error) {
	names := a.deps.Roster.Schedules()
	if !q.Has("schedule") {
		return names, nil
	}
	name := q.Get("schedule")
	if err := among("schedule", name, names); err != nil {
		return nil, err
	}
	return []string{name}, nil
}

// among refuses a name that is not known.
func among(key, name string, names []string) error {
	if slices.Contains(names, name) {
		return nil
	}
	near := ""
	if n := event.Nearest(name, names); n != "" {
		near = fmt.Sprintf("; did you mean %q?", n)
	}
	all := strings.Join(names, ", ")
	if all == "" {
		all = "none"
	}
	return badRequest(fmt.Errorf("%s: unknown %q, known are: %s%s", key, name, all, near))
}

func (a *API) onCall(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	q := r.URL.Query()
	if err := known(q, "at", "schedule"); err != nil {
		return badRequest(err)
	}
	at, err := instant(q, "at", a.now())
	if err != nil {
		return err
	}
	names, err := a.schedules(q)
	if err != nil {
		return err
	}
	list := []OnCall{}
	for _, name := range names {
		v := OnCall{Duty: a.deps.Roster.Duty(name, at)}
		if next := a.deps.Roster.Next(name, at, 1); next.Person != "" {
			next := a.deps.Roster.Duty(name, next.From)
			v.Next = &next
		}
		list = append(list, v)
	}
	a.write(w, http.StatusOK, map[string]any{"at": at.UTC(), "on_call": list})
	return nil
}

func (a *API) shifts(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	q := r.URL.Query()
	if err := known(q, "from", "to", "schedule"); err != nil {
		return badRequest(err)
	}
	from, err := instant(q, "from", a.now())
	if err != nil {
		return err
	}
	to, err := instant(q, "to", from.Add(14*24*time.Hour))
	if err != nil {
		return err
	}
	if d := to.Sub(from); d <= 0 || d > longestShifts {
		return badRequest(fmt.Errorf("to: found %v after from, expected more than 0 and at most %v", d, longestShifts))
	}
	names, err := a.schedules(q)
	if err != nil {
		return err
	}
	list := []oncall.Duty{}
	for _, name := range names {
		list = append(list, a.deps.Roster.Shifts(name, from.UTC(), to.UTC())...)
	}
	a.write(w, http.StatusOK, map[string]any{"shifts": list})
	return nil
}

func (a *API) overrides(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	q := r.URL.Query()
	if err := known(q, "state"); err != nil {
		return badRequest(err)
	}
	state := q.Get("state")
	if q.Has("state") && state != "active" && state != "all" {
		return badRequest(fmt.Errorf("state: found %q, expected active or all", state))
	}
	list := []*oncall.Override{}
	for _, o := range a.desk.Overrides() {
		if state == "all" || !o.Over(a.now()) {
			list = append(list, o)
		}
	}
	a.write(w, http.StatusOK, map[string]any{"overrides": list})
	return nil
}

// wantedOverride is an override as a caller asks for it: until when, or for how long.
type wantedOverride struct {
	Schedule string    `json:"schedule"`
	Person   string    `json:"person"`
	Author   string    `json:"author"`
	Reason   string    `json:"reason"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	For      string    `json:"for"`
}

func (a *API) addOverride(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var said wantedOverride
	if err := read(r, &said); err != nil {
		return err
	}
	if err := among("schedule", said.Schedule, a.deps.Roster.Schedules()); err != nil {
		return err
	}
	if err := among("person", said.Person, a.deps.Roster.People()); err != nil {
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
	o, err := a.desk.AddOverride(r.Context(), who, oncall.Override{
		Schedule: said.Schedule, Person: said.Person, Author: said.Author, Reason: said.Reason, From: said.From.UTC(), Until: said.Until.UTC(),
	})
	if err != nil {
		return faulty(err)
	}
	w.Header().Set("Location", "/api/v1/oncall/overrides/"+o.ID)
	a.write(w, http.StatusCreated, o)
	return nil
}

func (a *API) endOverride(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	o, err := a.desk.EndOverride(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err //nolint:wrapcheck // answer knows its kinds
	}
	a.write(w, http.StatusOK, o)
	return nil
}
