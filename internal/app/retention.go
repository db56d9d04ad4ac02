package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"imwatch/event"
	"imwatch/internal/store"

	"github.com/sirupsen/logrus"
)

// How long alerts, notifications and dead letters are kept, in days; events are kept by their class.
const (
	alertDays      = 365
	deadLetterDays = 30
)

// retention deletes whole indices past their time, where the store does not do it by itself. It looks once an hour:
// an index leaves the day after its last event's time is up.
func retention(ctx context.Context, st store.Admin, now func() time.Time, log logrus.FieldLogger) error {
	own, err := st.Lifecycle(ctx)
	if err == nil && own {
		<-ctx.Done() // the store's own policies are in charge
		return nil
	}
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := dropExpired(ctx, st, now(), log); err != nil && ctx.Err() == nil {
			log.WithError(err).Warn("retention: will try again in an hour")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func dropExpired(ctx context.Context, st store.Admin, now time.Time, log logrus.FieldLogger) error {
	names, err := st.Indices(ctx, "im-*")
	if err != nil {
		return fmt.Errorf("listing indices: %w", err)
	}
	for _, name := range names {
		end, ok := expires(name)
		if !ok || now.Before(end) {
			continue
		}
		if err := st.Drop(ctx, name); err != nil {
			return fmt.Errorf("dropping %s: %w", name, err)
		}
		log.WithField("index", name).Info("retention: dropped")
	}
	return nil
}

// expires gives the instant from which an index may go, by its name; false for names that are not ours.
func expires(name string) (time.Time, bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return time.Time{}, false
	}
	prefix, date := name[:i], name[i+1:]
	for _, c := range event.Classes() {
		if prefix == "im-connection-"+c.Name {
			return afterDay(date, c.Days)
		}
	}
	switch prefix {
	case "im-deadletter":
		return afterDay(date, deadLetterDays)
	case "im-alerts", "im-notify", "im-desk":
		month, err := time.Parse("2006.01", date)
		return month.AddDate(0, 1, alertDays), err == nil
	}
	return time.Time{}, false
}

func afterDay(date string, days int) (time.Time, bool) {
	day, err := time.Parse("2006.01.02", date)
	return day.AddDate(0, 0, 1+days), err == nil
}
