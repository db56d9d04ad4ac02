package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"imwatch/alerting/api"
	"imwatch/alerting/oncall"
)

// OnCall prints who is on call at a time, the zero time: now, and who is next; with length above 0, the shifts from then on.
// schedule "": all.
func (o *AlertsAPI) OnCall(ctx context.Context, at time.Time, schedule string, length time.Duration) error {
	query := url.Values{}
	if schedule != "" {
		query.Set("schedule", schedule)
	}
	table := tabwriter.NewWriter(o.Out, 0, 8, 2, ' ', 0)
	if length > 0 {
		if at.IsZero() {
			at = time.Now()
		}
		query.Set("from", at.Format(time.RFC3339))
		query.Set("to", at.Add(length).Format(time.RFC3339))
		var answer struct {
			Shifts []oncall.Duty `json:"shifts"`
		}
		if err := o.ask(ctx, http.MethodGet, "/oncall/shifts", query, nil, &answer); err != nil || o.JSON {
			return err
		}
		fmt.Fprintln(table, "SCHEDULE\tFROM\tUNTIL\tPERSON\tBY")
		for _, d := range answer.Shifts {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", d.Schedule, shown(d.From), shown(d.Until), person(d.Person), d.By)
		}
		return table.Flush() //nolint:wrapcheck // of the terminal
	}
	if !at.IsZero() {
		query.Set("at", at.Format(time.RFC3339))
	}
	var answer struct {
		OnCall []api.OnCall `json:"on_call"`
	}
	if err := o.ask(ctx, http.MethodGet, "/oncall", query, nil, &answer); err != nil || o.JSON {
		return err
	}
	fmt.Fprintln(table, "SCHEDULE\tPERSON\tSINCE\tUNTIL\tBY\tNEXT")
	for _, d := range answer.OnCall {
		next := "-"
		if d.Next != nil {
			next = d.Next.Person + " from " + shown(d.Next.From)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Schedule, person(d.Person), shown(d.From), shown(d.Until), d.By, next)
	}
	return table.Flush() //nolint:wrapcheck // of the terminal
}

func shown(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}

func person(name string) string {
	if name == "" {
		return "nobody"
	}
	return name
}

// Override has a person stand in, from a time on (the zero time: now) for a while.
func (o *AlertsAPI) Override(ctx context.Context, who, schedule string, from time.Time, length time.Duration, reason string) error {
	if schedule == "" {
		return Usagef("--schedule is needed")
	}
	body := map[string]any{"schedule": schedule, "person": who, "for": length.String(), "reason": reason}
	if !from.IsZero() {
		body["from"] = from
	}
	var v oncall.Override
	if err := o.ask(ctx, http.MethodPost, "/oncall/overrides", nil, body, &v); err != nil || o.JSON {
		return err
	}
	_, err := fmt.Fprintf(o.Out, "%s %s is on call from %s until %s\n", v.ID, v.Person, shown(v.From), shown(v.Until))
	return err //nolint:wrapcheck // of the terminal
}

// Overrides prints who stands in for whom, with all those of the last three months too.
func (o *AlertsAPI) Overrides(ctx context.Context, all bool) error {
	query := url.Values{}
	if all {
		query.Set("state", "all")
	}
	var answer struct {
		Overrides []*oncall.Override `json:"overrides"`
	}
	if err := o.ask(ctx, http.MethodGet, "/oncall/overrides", query, nil, &answer); err != nil || o.JSON {
		return err
	}
	table := tabwriter.NewWriter(o.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "OVERRIDE\tSCHEDULE\tPERSON\tFROM\tUNTIL\tAUTHOR\tREASON")
	for _, v := range answer.Overrides {
		until := shown(v.Until)
		if !v.Ended.IsZero() {
			until = shown(v.Ended) + " by " + v.EndedBy
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Schedule, v.Person, shown(v.From), until, v.Author, v.Reason)
	}
	return table.Flush() //nolint:wrapcheck // of the terminal
}

// EndOverride ends an override now, or before it begins.
func (o *AlertsAPI) EndOverride(ctx context.Context, id string) error {
	var v oncall.Override
	if err := o.ask(ctx, http.MethodDelete, "/oncall/overrides/"+url.PathEscape(id), nil, nil, &v); err != nil || o.JSON {
		return err
	}
	_, err := fmt.Fprintln(o.Out, "ended "+shown(v.Ended))
	return err //nolint:wrapcheck // of the terminal
}

// PrintWarnings says what in a good configuration may be a mistake, with its place.
func PrintWarnings(cfg Config, w io.Writer) {
	for _, text := range cfg.Alerting.OnCall.Warnings("alerting.oncall", time.Now()) {
		fmt.Fprintln(w, "warning: "+cfg.places.Locate(text))
	}
}
