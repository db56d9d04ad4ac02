package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"imwatch/alerting"
	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// series knows the course of alerts from the store and the detector's rules: how many of a rule's events of the key
// came in each step.
type series struct {
	store store.Reader
	rules func() []*rule.Rule
}

// newSeries reads the rules once, when the first mail asks.
func newSeries(st store.Reader, paths []string) *series {
	return &series{st, sync.OnceValue(func() []*rule.Rule {
		if len(paths) == 0 {
			loaded, _ := loadRules(nil) // what is wrong with rules is the detector's to say
			return loaded
		}
		loaded, _ := rule.Load(paths...)
		return loaded
	})}
}

// steps is how many bars a picture has, and before the share of them that come before the alert's first window.
const (
	steps  = 60
	before = 20
)

// errNoCourse says that there is nothing to draw.
var errNoCourse = errors.New("the alert has no course")

// Course counts the alert's events from some time before its first window until its state.
func (s *series) Course(ctx context.Context, a *event.Alert) (alerting.Course, error) {
	i := slices.IndexFunc(s.rules(), func(r *rule.Rule) bool { return r.ID == a.RuleID })
	if i < 0 {
		return alerting.Course{}, fmt.Errorf("%w: the rule %s is not known here", errNoCourse, a.RuleID)
	}
	r := s.rules()[i]
	window, err := rule.ParseDuration(a.Window)
	if err != nil || window <= 0 {
		window = time.Minute
	}
	end := a.Time.Add(time.Millisecond) // the instant itself belongs to it
	// Whole seconds that begin at multiples of the step since the epoch: so the store cuts as the picture does.
	seconds := max(1, int64((end.Sub(a.From.Add(-window))/(steps-before)+time.Second-1)/time.Second))
	step, last := time.Duration(seconds)*time.Second, end.Unix()/seconds*seconds
	c := alerting.Course{From: time.Unix(last-(steps-1)*seconds, 0).UTC(), Step: step, Counts: make([]float64, steps)}
	q := store.Query{Indices: event.EventIndices, From: c.From, To: end, Where: filter.And{r.Where, keyFilter(r, a)}}
	total := 0.0
	for b, err := range s.store.Aggregate(ctx, q, nil, step) {
		if err != nil {
			return c, fmt.Errorf("counting the alert's events: %w", err)
		}
		at, err := time.Parse(time.RFC3339Nano, b.Key[len(b.Key)-1])
		if err != nil {
			return c, fmt.Errorf("counting the alert's events: %w", err)
		}
		i := min(max(0, int(at.Sub(c.From)/step)), steps-1)
		c.Counts[i] += b.Weight
		total += b.Weight
	}
	if total == 0 {
		return c, fmt.Errorf("%w: the store has none of its events", errNoCourse)
	}
	return c, nil
}

// keyFilter selects the events of the alert's key, or more where the store cannot compare a field.
func keyFilter(r *rule.Rule, a *event.Alert) filter.Expr {
	all := filter.And{}
	for _, f := range r.GroupBy {
		i := slices.IndexFunc(a.Key, func(p event.KeyPart) bool { return p.Field == f.Name })
		if i < 0 || f.Type == event.Text {
			continue
		}
		if a.Key[i].Value == rule.Missing {
			all = append(all, filter.Not{X: filter.Exists{Field: f}})
		} else if v, ok := event.Parse(f.Type, a.Key[i].Value); ok {
			all = append(all, filter.Equal{Field: f, Value: v})
		}
	}
	return all
}
