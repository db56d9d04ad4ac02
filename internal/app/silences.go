package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"imwatch/alerting/api"
	"imwatch/alerting/silence"
	"imwatch/event"
)

// NewSilence is a silence as it is asked for from a terminal.
type NewSilence struct {
	Match             []string
	For               time.Duration // 0: an hour, unless it ends in another way
	From, Until, Zone string
	Weekly            []silence.Weekly
	Author, Reason    string
	Maintenance       bool
	Yes               bool // also where it holds any alert
	Preview           bool // only say what it would hold
}

// AddWeekly adds weekly hours as people write them.
func (n *NewSilence) AddWeekly(text string) error {
	w, err := silence.ParseWeekly(text)
	if err != nil {
		return err //nolint:wrapcheck // the flag is named by its package
	}
	n.Weekly = append(n.Weekly, w)
	return nil
}

// body gives the request.
func (n *NewSilence) body() (map[string]any, error) {
	b := map[string]any{"match": append([]string{}, n.Match...), "reason": n.Reason}
	set := func(name, value string) {
		if value != "" {
			b[name] = value
		}
	}
	set("author", n.Author)
	set("zone", n.Zone)
	for _, t := range []struct{ name, text string }{{"from", n.From}, {"until", n.Until}} {
		at, err := moment(t.text, n.Zone)
		if err != nil {
			return nil, Usagef("--%s: %w", t.name, err)
		}
		set(t.name, at)
	}
	if n.For == 0 && n.Until == "" && len(n.Weekly) == 0 {
		n.For = time.Hour
	}
	if n.For != 0 {
		b["for"] = n.For.String()
	}
	if len(n.Weekly) > 0 {
		b["weekly"] = n.Weekly
	}
	if n.Maintenance {
		b["kind"] = silence.Maintenance
	}
	if n.Yes {
		b["all"] = true
	}
	return b, nil
}

// moment reads a time by the clocks of a zone, "": those of the terminal, and gives it as RFC 3339.
func moment(text, zone string) (string, error) {
	if text == "" {
		return "", nil
	}
	at, err := silence.ParseTimeIn(text, time.Local)
	if zone != "" {
		at, err = silence.ParseTime(text, zone)
	}
	if err != nil {
		return "", err //nolint:wrapcheck // the caller names the flag
	}
	return at.Format(time.RFC3339), nil
}

// Silence says what a silence would hold now, and makes it.
func (o *AlertsAPI) Silence(ctx context.Context, n NewSilence) error {
	if len(n.Match) == 0 && !n.Yes && !n.Preview {
		return Usagef("expected at least one condition such as 'rule = node-down' or 'key.client.ip = 192.0.2.1'; --yes if everything is meant")
	}
	body, err := n.body()
	if err != nil {
		return err
	}
	if !o.JSON || n.Preview {
		p, err := o.preview(ctx, n.Match)
		if err != nil || n.Preview {
			return err
		}
		if p.Everything && !n.Yes {
			return Usagef("these conditions hold any alert, whatever its rule, severity and key: --yes if that is meant")
		}
	}
	var s api.Silence
	if err := o.ask(ctx, http.MethodPost, "/silences", nil, body, &s); err != nil || o.JSON {
		return err
	}
	_, err = fmt.Fprintln(o.Out, s.ID, lasts(&s))
	return err //nolint:wrapcheck // of the terminal
}

// preview asks what conditions would hold, and says it.
func (o *AlertsAPI) preview(ctx context.Context, match []string) (*api.Preview, error) {
	p := new(api.Preview)
	if err := o.ask(ctx, http.MethodPost, "/silences/preview", nil, map[string]any{"match": match}, p); err != nil || o.JSON {
		return p, err
	}
	text := "holds nothing that fires now"
	if p.Firing > 0 {
		var parts []string
		for _, severity := range event.Severities() {
			if k := p.BySeverity[severity]; k > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", k, severity))
			}
		}
		text = fmt.Sprintf("holds %d that fire now: %s", p.Firing, strings.Join(parts, ", "))
	}
	_, err := fmt.Fprintln(o.Out, text)
	return p, err //nolint:wrapcheck // of the terminal
}

// lasts says when a silence is on.
func lasts(s *api.Silence) string {
	end := "without an end"
	if !s.Until.IsZero() {
		end = "until " + s.Clock(s.Until)
	}
	if len(s.Weekly) > 0 {
		return hoursOf(s.Silence) + ", " + end
	}
	return end
}

func hoursOf(s *silence.Silence) string {
	weekly := make([]string, len(s.Weekly))
	for i, w := range s.Weekly {
		weekly[i] = w.String()
	}
	return strings.Join(weekly, "; ")
}

// Extend moves a silence's end by a length, or to a time.
func (o *AlertsAPI) Extend(ctx context.Context, id string, by time.Duration, until, zone string) error {
	at, err := moment(until, zone)
	if err != nil {
		return Usagef("--until: %w", err)
	}
	body := map[string]string{"until": at}
	switch {
	case (by == 0) == (at == ""):
		return Usagef("expected --for or --until, one of them")
	case by != 0:
		body = map[string]string{"for": by.String()}
	}
	var s api.Silence
	if err := o.ask(ctx, http.MethodPost, "/silences/"+url.PathEscape(id)+"/extend", nil, body, &s); err != nil || o.JSON {
		return err
	}
	_, err = fmt.Fprintln(o.Out, s.ID, lasts(&s))
	return err //nolint:wrapcheck // of the terminal
}

// Silences prints the silences, with all those that were over in the last week too.
func (o *AlertsAPI) Silences(ctx context.Context, all bool) error {
	query := url.Values{}
	if all {
		query.Set("state", "all")
	}
	var list struct {
		Silences []api.Silence `json:"silences"`
	}
	if err := o.ask(ctx, http.MethodGet, "/silences", query, nil, &list); err != nil || o.JSON {
		return err
	}
	table := tabwriter.NewWriter(o.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "SILENCE\tKIND\tNOW\tAUTHOR\tFROM\tUNTIL\tWEEKLY\tMATCH\tREASON")
	for i := range list.Silences {
		s := &list.Silences[i]
		kind, match, weekly, from := s.Kind, strings.Join(s.Match, " and "), hoursOf(s.Silence), "-"
		if kind == "" {
			kind = "silence"
		}
		if match == "" {
			match = "everything"
		}
		if weekly == "" {
			weekly = "-"
		}
		if !s.From.IsZero() {
			from = s.Clock(s.From)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, kind, nowOf(s), s.Author, from, untilOf(s), weekly, match, s.Reason)
	}
	return table.Flush() //nolint:wrapcheck // of the terminal
}

// nowOf says whether a silence is on, or when it is next.
func nowOf(s *api.Silence) string {
	switch {
	case s.On && s.To.IsZero():
		return "on"
	case s.On:
		return "on until " + s.Clock(s.To)
	case !s.Since.IsZero():
		return "from " + s.Clock(s.Since)
	}
	return "off"
}

func untilOf(s *api.Silence) string {
	switch {
	case !s.Ended.IsZero():
		return s.Clock(s.Ended) + " by " + s.EndedBy
	case s.Until.IsZero():
		return "-"
	}
	return s.Clock(s.Until)
}

// EndSilence ends a silence now.
func (o *AlertsAPI) EndSilence(ctx context.Context, id string) error {
	var s silence.Silence
	if err := o.ask(ctx, http.MethodDelete, "/silences/"+url.PathEscape(id), nil, nil, &s); err != nil || o.JSON {
		return err
	}
	_, err := fmt.Fprintln(o.Out, "ended "+s.Clock(s.Ended))
	return err //nolint:wrapcheck // of the terminal
}
