package alerting

import (
	"context"
	"fmt"
	"time"

	"imwatch/alerting/oncall"
	"imwatch/event"

	"github.com/prometheus/client_golang/prometheus"
)

// calendarLook is how often calendars are looked at for changes, and schedules for times of nobody.
const calendarLook = 10 * time.Second

// callOut makes the roster, and says at the start where it will have nobody.
func (a *Alerter) callOut() error {
	roster, _, err := oncall.New(a.cfg.OnCall, a.now())
	if err != nil {
		return fmt.Errorf("oncall.%w", err)
	}
	a.roster = roster
	roster.Overrides(a.desk.Overrides)
	for _, w := range a.cfg.OnCall.Warnings("oncall", a.now()) {
		a.log.Warn("alerting." + w)
	}
	for _, name := range roster.Schedules() {
		a.metrics.gaps.WithLabelValues(name) // from 0 on: of a series that begins at 1, Prometheus sees no increase
		a.metrics.all = append(a.metrics.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "im_alerting_oncall_gap", ConstLabels: prometheus.Labels{"schedule": name},
			Help: "1 while nobody is on call in a schedule, by its name.",
		}, func() float64 {
			if roster.Gap(name, a.now()) {
				return 1
			}
			return 0
		}))
	}
	return nil
}

// watchSteps notes when an alert whose state was kept is to be looked at for steps: at once if it has some, for a rise may
// break through what holds them.
func (a *Alerter) watchSteps(it *Item) {
	switch {
	case it.Alert.State == event.StateResolved:
		a.steps.note(&it.Alert, time.Time{}, false)
	case it.Alert.Status != "shadow" && len(a.tree.Escalations(&it.Alert)) > 0:
		next := it.account.Since.Add(a.tree.Escalations(&it.Alert)[0].After)
		a.steps.note(&it.Alert, later(next, a.now()), false)
	}
}

// runSteps passes alerts on until ctx ends.
func (a *Alerter) runSteps(ctx context.Context) {
	a.tend(ctx, a.steps.repeats, "passing an alert on", func() {}, a.escalate)
}
