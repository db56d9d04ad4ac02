package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/alerting/desk"
	"imwatch/alerting/outbox"
	"imwatch/alerting/route"
	"imwatch/alerting/silence"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// Alert is an alert as it stands, with what people and other alerts say about it.
type Alert struct {
	Alert     json.RawMessage  `json:"alert"` // the alert line, as in im.alerts
	Ack       *desk.Ack        `json:"ack,omitempty"`
	Silence   *silence.Silence `json:"silence,omitempty"`
	Inhibited string           `json:"inhibited_by,omitempty"` // id of the alert that holds it back
	// Notifications is given for one alert only.
	Notifications []json.RawMessage `json:"notifications,omitempty"`
	// Groups are those in which it waits, for one alert only.
	Groups []Group `json:"groups,omitempty"`

	at time.Time
	id string
}

// selection is what a list of alerts is asked for.
type selection struct {
	state    string
	matchers []route.Matcher
	limit    int
	after    string // id
	from     time.Time
}

// The bounds of a page.
const (
	usualPage = 100
	largest   = 1000
)

// known refuses a name of a query that means nothing, and one that stands twice where it counts once.
func known(q url.Values, names ...string) error {
	for name, values := range q {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%s: unknown, expected one of %s", name, strings.Join(names, ", "))
		}
		if len(values) > 1 && name != "match" {
			return fmt.Errorf("%s: found %d times, expected once", name, len(values))
		}
	}
	return nil
}

func newSelection(q url.Values) (s selection, err error) {
	if err := known(q, "state", "match", "limit", "after"); err != nil {
		return s, err
	}
	if s.state = event.StateFiring; q.Has("state") {
		s.state = q.Get("state")
	}
	if !slices.Contains([]string{event.StateFiring, event.StateResolved, "all"}, s.state) {
		return s, fmt.Errorf("state: found %q, expected firing, resolved or all", s.state)
	}
	if s.matchers, err = route.ParseMatchers(q["match"]); err != nil {
		return s, fmt.Errorf("match%w", err)
	}
	s.limit = usualPage
	if text := q.Get("limit"); q.Has("limit") {
		if s.limit, err = strconv.Atoi(text); err != nil || s.limit < 1 || s.limit > largest {
			return s, fmt.Errorf("limit: found %q, expected 1 to %d", text, largest)
		}
	}
	if text := q.Get("after"); q.Has("after") {
		at, id, ok := strings.Cut(text, ",")
		if s.from, err = time.Parse(time.RFC3339Nano, at); err != nil || !ok {
			return s, fmt.Errorf("after: found %q, expected what stood in next", text)
		}
		s.after = id
	}
	return s, nil
}

// where selects by state: an alert fires until it is resolved.
func (s *selection) where() filter.Expr {
	f := event.FieldByID(event.FieldAlertState)
	resolved := filter.Equal{Field: filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}, Value: event.KeywordValue(event.StateResolved)}
	switch s.state {
	case event.StateFiring:
		return filter.Not{X: resolved}
	case event.StateResolved:
		return resolved
	}
	return nil
}

func (a *API) alerts(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	s, err := newSelection(r.URL.Query())
	if err != nil {
		return badRequest(err)
	}
	if err := a.look.Refresh(r.Context(), event.AlertIndices); err != nil {
		return fmt.Errorf("looking for alerts: %w", err)
	}
	page := struct {
		Alerts []*Alert `json:"alerts"`
		Next   string   `json:"next,omitempty"`
	}{Alerts: []*Alert{}}
	q := store.Query{Indices: event.AlertIndices, From: s.from, Where: s.where()}
	for hit, err := range a.look.Search(r.Context(), q) {
		if err != nil {
			return fmt.Errorf("looking for alerts: %w", err)
		}
		v, alert := a.view(hit.Body)
		if v == nil || !s.from.IsZero() && v.at.Equal(s.from) && v.id <= s.after || !route.MatchAll(s.matchers, alert) {
			continue
		}
		if len(page.Alerts) == s.limit {
			last := page.Alerts[s.limit-1]
			page.Next = last.at.UTC().Format(time.RFC3339Nano) + "," + last.id
			break
		}
		page.Alerts = append(page.Alerts, v)
	}
	a.write(w, http.StatusOK, page)
	return nil
}

// view makes the answer about an alert; nil if it cannot be read.
func (a *API) view(body []byte) (*Alert, *event.Alert) {
	alert := new(event.Alert)
	if err := json.Unmarshal(body, alert); err != nil {
		a.log.WithError(err).Error("an alert in the store cannot be read and is not shown")
		return nil, nil
	}
	v := &Alert{Alert: json.RawMessage(body), at: alert.Time, id: alert.ID}
	if alert.State == event.StateResolved {
		return v, alert
	}
	if k, ok := a.desk.Acked(alert); ok {
		v.Ack = &k
	}
	if h, ok := a.desk.Held(alert); ok {
		v.Silence = h.Silence
	}
	if a.deps.Inhibited != nil {
		if by, ok := a.deps.Inhibited(alert); ok {
			v.Inhibited = by.ID
		}
	}
	return v, alert
}

// find gives the document of an alert by its id.
func (a *API) find(r *http.Request, id string) ([]byte, error) {
	if err := a.look.Refresh(r.Context(), event.AlertIndices); err != nil {
		return nil, fmt.Errorf("looking for an alert: %w", err)
	}
	f := event.FieldByID(event.FieldAlertID)
	q := store.Query{Indices: event.AlertIndices, Where: filter.Equal{Field: filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}, Value: event.KeywordValue(id)}}
	for hit, err := range a.look.Search(r.Context(), q) {
		if err != nil {
			return nil, fmt.Errorf("looking for an alert: %w", err)
		}
		return hit.Body, nil
	}
	return nil, &refusal{http.StatusNotFound, fmt.Sprintf("there is no alert %q", id)}
}

func (a *API) alert(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	body, err := a.find(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	v, alert := a.view(body)
	if v == nil {
		return errors.New("the alert cannot be read")
	}
	if err := a.look.Refresh(r.Context(), outbox.Indices); err != nil {
		return fmt.Errorf("looking for notifications: %w", err)
	}
	f := event.FieldByID(event.FieldAlertID)
	q := store.Query{Indices: outbox.Indices, Where: filter.Equal{Field: filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}, Value: event.KeywordValue(alert.ID)}}
	for hit, err := range a.look.Search(r.Context(), q) {
		if err != nil {
			return fmt.Errorf("looking for notifications: %w", err)
		}
		v.Notifications = append(v.Notifications, json.RawMessage(hit.Body))
	}
	if v.Groups, err = a.groups(r.Context(), v.Notifications); err != nil {
		return err
	}
	a.write(w, http.StatusOK, v)
	return nil
}

// acknowledge is what a caller says of an acknowledgement.
type acknowledge struct {
	For  string `json:"for"` // a duration; "": desk.DefaultAck
	Note string `json:"note"`
}

func (a *API) ack(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var said acknowledge
	if err := read(r, &said); err != nil {
		return err
	}
	length := desk.DefaultAck
	if said.For != "" {
		var err error
		if length, err = time.ParseDuration(said.For); err != nil {
			return badRequest(fmt.Errorf("for: found %q, expected a duration such as 1h30m", said.For))
		}
	}
	alert, err := a.firing(r)
	if err != nil {
		return err
	}
	k, err := a.desk.Acknowledge(r.Context(), who, alert, length, said.Note)
	if err != nil {
		return faulty(err)
	}
	a.write(w, http.StatusOK, k)
	return nil
}

// firing finds an alert that is not over.
func (a *API) firing(r *http.Request) (*event.Alert, error) {
	body, err := a.find(r, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	alert := new(event.Alert)
	if err := json.Unmarshal(body, alert); err != nil {
		return nil, fmt.Errorf("reading an alert: %w", err)
	}
	if alert.State == event.StateResolved {
		return nil, &refusal{http.StatusConflict, "the alert is over"}
	}
	return alert, nil
}

func (a *API) takeBack(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	alert, err := a.firing(r)
	if err != nil {
		return err
	}
	k, err := a.desk.TakeBack(r.Context(), who, alert)
	if err != nil {
		return err //nolint:wrapcheck // answer knows its kinds
	}
	a.write(w, http.StatusOK, k)
	return nil
}

// faulty takes an error of what people say for the caller's, unless it is the store's.
func faulty(err error) error {
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrRejected) || errors.Is(err, desk.ErrUnknown) || errors.Is(err, desk.ErrFixed) || errors.Is(err, desk.ErrOver) {
		return err
	}
	return badRequest(err)
}
