package alerting

import (
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
	"imwatch/alerting/route"
)

// gather puts an entry into its group, and says whether it got graver: then whatever waits before it does not. Receivers that are programs are told each alert by itself.
func (a *Alerter) gather(e *outbox.Entry, g route.Group, it *Item) {
	e.Rose = e.Kind == channel.Updated && it.Before.Kind != "" && outbox.Rank(e.Alert.Severity) > outbox.Rank(it.Before.Severity)
	if g.ID == "" || !a.receivers[e.Receiver].folds {
		return
	}
	e.Group, e.GroupName, e.GroupMatch, e.Interval = g.ID, g.Name, g.Match, g.Interval
	e.Due = a.waits(e, it).Add(g.Wait)
}

// waits gives the moment from which an entry waits for others: when its state was kept, which is the same however often
// it is decided. A repetition waits from when it was due; where that was long ago, as the process did not run, from now.
func (a *Alerter) waits(e *outbox.Entry, it *Item) time.Time {
	if e.Kind != channel.Repeat {
		return it.KeptAt
	}
	if missed := e.At.Sub(it.Moment); missed > time.Second {
		return e.At
	}
	return it.Moment
}

// fallbackWait is how long what could not be delivered waits for the rest of its group before the fallback is told.
const fallbackWait = 5 * time.Second

// regather keeps what could not be delivered together for the fallback.
func (a *Alerter) regather(f, failed *outbox.Entry) {
	if failed.Group == "" || !a.receivers[f.Receiver].folds {
		return
	}
	g := route.Group{ID: failed.Group}.For(f.Receiver)
	f.Group, f.GroupName, f.GroupMatch, f.Interval, f.Rose = g.ID, failed.GroupName, failed.GroupMatch, failed.Interval, failed.Rose
	f.Due = f.At.Add(fallbackWait)
}
