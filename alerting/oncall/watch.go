package oncall

import (
	"context"
	"time"

	"github.com/sirupsen/logrus"
)

// Watch reads calendars again that changed, and says when nobody is on call, every so often until ctx ends. A file that
// cannot be read leaves what was known.
func (r *Roster) Watch(ctx context.Context, every time.Duration, now func() time.Time, log logrus.FieldLogger) {
	t := time.NewTicker(every)
	defer t.Stop()
	failed, empty := map[string]string{}, map[string]bool{}
	for {
		for _, name := range r.names {
			s := r.schedules[name]
			r.reread(s, now(), failed, log.WithField("schedule", name))
			if gap := r.Gap(name, now()); gap != empty[name] {
				if empty[name] = gap; gap {
					log.WithField("schedule", name).Warnf("nobody is on call; told are the receivers of default: %v", s.Default)
				} else {
					log.WithField("schedule", name).Info("somebody is on call again")
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (r *Roster) reread(s *schedule, now time.Time, failed map[string]string, log logrus.FieldLogger) {
	if s.ICal == "" {
		return
	}
	before := s.stamp
	warnings, err := s.read(now)
	switch {
	case err != nil && failed[s.Name] != err.Error():
		log.WithError(err).Error("the calendar cannot be read; what it said before counts")
		failed[s.Name] = err.Error()
	case err == nil && s.stamp != before:
		log.Info("the calendar was read again")
		fallthrough
	case err == nil:
		delete(failed, s.Name)
	}
	for _, w := range warnings {
		log.Warn("the calendar: " + w)
	}
}

// Gap says whether nobody is on call in a schedule at an instant.
func (r *Roster) Gap(name string, t time.Time) bool {
	d, ok := r.At(name, t)
	return ok && d.Person == ""
}
