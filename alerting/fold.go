package alerting

import (
	"fmt"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
	"imwatch/alerting/render"
)

// folder gives what puts several notifications to a receiver into the words of one, in at most limit bytes; nil where
// the channel tells each by itself.
func (a *Alerter) folder(r *receiver, limit int) func([]*outbox.Entry) channel.Message {
	if limit == 0 {
		return nil
	}
	return func(entries []*outbox.Entry) channel.Message {
		m, err := a.several(r, entries, limit)
		if err != nil {
			a.log.WithError(err).Error("rendering a digest failed, it only says how many there are")
			title := fmt.Sprintf("[digest] %d notifications", len(entries))
			return channel.Message{Title: title, Body: title}
		}
		return m
	}
}

// several puts entries into words: those of one group as such, others as a digest.
func (a *Alerter) several(r *receiver, entries []*outbox.Entry, limit int) (channel.Message, error) {
	told := tellings(entries)
	if _, ok := outbox.OneGroup(entries); ok {
		return a.renderer.Group(r.cfg.style(), r.language, entries[0].GroupName, told, limit, a.groupActions(entries)...)
	}
	return a.renderer.Digest(r.cfg.style(), r.language, told, limit)
}

func tellings(entries []*outbox.Entry) []render.Told {
	told := make([]render.Told, len(entries))
	for i, e := range entries {
		told[i] = render.Told{Kind: e.Kind, Alert: &e.Alert, Note: e.Note}
	}
	return told
}
