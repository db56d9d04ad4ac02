package alerting

import (
	"context"
	"fmt"
	"time"

	"imwatch/alerting/email"
	"imwatch/alerting/spark"
	"imwatch/event"
)

// Course is what an alert is about over time: how many of its events came in each step.
type Course struct {
	From   time.Time // start of the first step
	Step   time.Duration
	Counts []float64
}

// Series knows the course of an alert: of the events of its rule and key, from some time before its start until its
// state. It answers soon after ctx ends.
type Series interface {
	Course(ctx context.Context, a *event.Alert) (Course, error)
}

// courseTimeout is how long a mail waits for its picture: it goes without one rather than late.
const courseTimeout = 2 * time.Second

// chart gives what makes pictures for mails; nil where there is nothing to make them of.
func (a *Alerter) chart(s Series) email.Chart {
	if s == nil {
		return nil
	}
	return func(ctx context.Context, alert *event.Alert) (email.Picture, bool) {
		ctx, cancel := context.WithTimeout(ctx, courseTimeout)
		defer cancel()
		course, err := s.Course(ctx, alert)
		if err != nil {
			a.log.WithError(err).WithField("alert", alert.ID).Debug("a mail goes without its picture")
			return email.Picture{}, false
		}
		return course.picture(alert)
	}
}

func (c Course) picture(a *event.Alert) (email.Picture, bool) {
	if len(c.Counts) < 2 || c.Step <= 0 {
		return email.Picture{}, false
	}
	marked := int(a.From.Sub(c.From) / c.Step)
	chart := spark.Chart{Values: c.Counts, Marked: min(max(0, marked), len(c.Counts)), Over: a.State == event.StateResolved}
	png, err := chart.PNG()
	if err != nil {
		return email.Picture{}, false
	}
	end := c.From.Add(time.Duration(len(c.Counts)) * c.Step)
	alt := fmt.Sprintf("%s – %s UTC, %v", c.From.UTC().Format("15:04:05"), end.UTC().Format("15:04:05"), c.Step)
	return email.Picture{PNG: png, Line: chart.Signs(), Alt: alt}, true
}
