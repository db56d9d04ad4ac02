package alerting

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"imwatch/event/deadletter"
	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// newLetter keeps a message of im.alerts that is no alert. Its id is its place, so that a redelivery is the same letter.
func newLetter(m bus.Message, now time.Time, cause error) deadletter.Letter {
	return deadletter.Letter{
		At: now, ID: m.Topic + "-" + strconv.Itoa(m.Partition) + "-" + strconv.FormatInt(m.Offset, 10),
		Stage: "alerting", Reason: "alert", Detail: cause.Error(), Topic: m.Topic, Partition: m.Partition, Offset: m.Offset,
		Original: m.Value,
	}
}

func (a *Alerter) putLetter(ctx context.Context, index string, l deadletter.Letter) error {
	results, err := a.store.Put(ctx, store.Doc{Index: index, ID: l.ID, Body: l.AppendJSON(nil)})
	switch {
	case err != nil:
		return fmt.Errorf("keeping a dead letter: %w", err)
	case results[0].Outcome == store.Retry:
		return fmt.Errorf("keeping a dead letter: %w: %s", store.ErrUnavailable, results[0].Reason)
	case results[0].Outcome == store.Rejected:
		a.log.WithField("letter", l.ID).Errorf("the store refuses a dead letter: %s", results[0].Reason)
	}
	return nil
}
