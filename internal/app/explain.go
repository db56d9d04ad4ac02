package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/route"
	"imwatch/detector/explain"
	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// ExplainOptions are the flags of rules explain.
type ExplainOptions struct {
	Rules  string   // file or folder; "": the shipped rules
	Rule   string   // id
	Key    []string // "field=value", one for each field of group_by
	At     time.Time
	Events string // a file, "-", "kafka" or "store"
	Data   string // with kafka or store: the data folder of up instead of the cluster
	Format string // text or json
	// Alerting loads the configuration with the part that says who is told, which needs secrets that a terminal may
	// not have; on an error the explanation goes without it.
	Alerting func() (Config, error)
}

// Explain says why a rule did or did not fire for a key at an instant.
func Explain(ctx context.Context, cfg Config, o ExplainOptions, streams Streams) (err error) {
	q := explain.Request{At: o.At}
	if q.Rule, err = findRule(o, streams); err != nil {
		return err
	}
	if q.Key, err = readKey(o.Key); err != nil {
		return err
	}
	s := newSite(cfg, streams)
	defer func() { err = errors.Join(err, s.close()) }()
	report, err := s.explain(ctx, o, q)
	if errors.Is(err, explain.ErrKey) {
		return &UsageError{err}
	}
	if err != nil {
		return err
	}
	report.Delivery = append(delivery(report, o), stored(ctx, s.store, report)...)
	if o.Format == "json" {
		enc := json.NewEncoder(streams.Out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(report); err != nil {
			return fmt.Errorf("writing the explanation: %w", err)
		}
		return nil
	}
	return report.WriteText(streams.Out)
}

// findRule gives the rule of that id. Findings are shown only where it is not there.
func findRule(o ExplainOptions, streams Streams) (*rule.Rule, error) {
	var paths []string
	if o.Rules != "" {
		paths = []string{o.Rules}
	}
	loaded, findings := loadRules(paths)
	var ids []string
	for _, r := range loaded {
		if r.ID == o.Rule {
			return r, nil
		}
		ids = append(ids, r.ID)
	}
	if err := rule.WriteText(streams.Err, errorsOf(findings)); err != nil {
		return nil, err
	}
	hint := ""
	if near := event.Nearest(o.Rule, ids); near != "" {
		hint = fmt.Sprintf("; the nearest is %q", near)
	}
	return nil, Usagef("rule %s: no such rule among the %d that could be loaded%s", o.Rule, len(ids), hint)
}

func readKey(given []string) (key []event.KeyPart, err error) {
	for _, kv := range given {
		name, value, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, Usagef("--key %s: expected field=value, as in client.ip=192.0.2.1", kv)
		}
		f, ok := event.FieldByName(name)
		if !ok {
			hint := ""
			if near := event.NearestField(name); near != "" {
				hint = fmt.Sprintf("; the nearest is %q", near)
			}
			return nil, Usagef("--key %s: unknown field %q%s", kv, name, hint)
		}
		key = append(key, event.KeyPart{Field: f.Name, Value: value})
	}
	return key, nil
}

func (s *site) explain(ctx context.Context, o ExplainOptions, q explain.Request) (*explain.Report, error) {
	switch o.Events {
	case "kafka":
		if err := s.openFor(o.Data, s.openBroker, s.openKafka); err != nil {
			return nil, err
		}
		return explain.Topic(ctx, s.bus, bus.TopicLifecycle, q)
	case "store":
		if err := s.openFor(o.Data, s.openStore, s.openElastic); err != nil {
			return nil, err
		}
		return explain.Store(ctx, s.store, q)
	case "-":
		return explain.File(ctx, s.streams.In, "standard input", q)
	}
	f, err := os.Open(o.Events)
	if err != nil {
		return nil, Usagef("reading events: %w", err)
	}
	defer f.Close()
	return explain.File(ctx, f, o.Events, q)
}

// delivery says what alerting would do with the alert.
func delivery(r *explain.Report, o ExplainOptions) []string {
	switch r.Status {
	case rule.StatusDisabled:
		return []string{"nobody is told: the rule is disabled"}
	case rule.StatusShadow:
		return []string{"nobody is told: the rule is a shadow, its alerts are only kept"}
	}
	cfg, err := o.Alerting()
	if err != nil {
		return []string{"who would be told is not known, the configuration of alerting cannot be read: " + strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	return append(routes(r.Alert(), cfg.Alerting), "silences, inhibition and acknowledgements hold it back as `imwatch alerts list` says")
}

func routes(a *event.Alert, cfg alerting.Config) []string {
	if len(cfg.Receivers) == 0 {
		return []string{"nobody is told: no receivers are configured, alerts are only kept"}
	}
	policy := cfg.Route
	if policy.IsZero() {
		policy = alerting.DefaultRoute(cfg.Receivers)
	}
	tree, err := route.New(policy)
	if err != nil {
		return []string{"who would be told is not known: " + err.Error()}
	}
	var lines []string
	for _, t := range tree.Targets(a) {
		lines = append(lines, fmt.Sprintf("%s is told, and again every %s while it fires", t.Receiver, rule.FormatDuration(t.Repeat)))
	}
	for _, e := range tree.Escalations(a) {
		unless := ", unless somebody acknowledged it"
		if e.Regardless {
			unless = ""
		}
		lines = append(lines, fmt.Sprintf("%s is told after %s%s", strings.Join(e.Receivers, ", "), rule.FormatDuration(e.After), unless))
	}
	if len(lines) == 0 {
		return []string{fmt.Sprintf("nobody is told: no route takes an alert of severity %s with these labels", a.Severity)}
	}
	return lines
}

// stored says whether the store has the open alert.
func stored(ctx context.Context, reader store.Reader, r *explain.Report) []string {
	a := r.Alert()
	if reader == nil || a.ID == "" {
		return nil
	}
	_, _, err := reader.Get(ctx, event.AlertIndex(a.From), a.DocID())
	switch {
	case err == nil:
		return []string{"the store has the alert " + a.ID}
	case errors.Is(err, store.ErrNotFound):
		return []string{"the store does not have the alert " + a.ID + ": the detector has not told it, or alerting has not kept it yet"}
	}
	return []string{"whether the alert is in the store is not known: " + err.Error()}
}
