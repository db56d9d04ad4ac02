package alerting

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// letter is a dead letter, in the form that the other stages write.
type letter struct {
	At        time.Time `json:"@timestamp"`
	ID        string    `json:"id"`
	Stage     string    `json:"stage"`
	Reason    string    `json:"reason"`
	Detail    string    `json:"detail"`
	Topic     string    `json:"topic"`
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	Encoding  string    `json:"encoding,omitempty"`
	Original  string    `json:"original"`
}

func newLetter(m bus.Message, now time.Time, cause error) letter {
	l := letter{
		At: now.UTC(), ID: m.Topic + "-" + strconv.Itoa(m.Partition) + "-" + strconv.FormatInt(m.Offset, 10),
		Stage: "alerting", Reason: "alert", Detail: cause.Error(), Topic: m.Topic, Partition: m.Partition, Offset: m.Offset,
		Original: string(m.Value),
	}
	if !utf8.Valid(m.Value) {
		l.Encoding, l.Original = "base64", base64.StdEncoding.EncodeToString(m.Value)
	}
	return l
}

func (a *Alerter) putLetter(ctx context.Context, index string, l letter) error {
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encoding a dead letter: %w", err)
	}
	results, err := a.store.Put(ctx, store.Doc{Index: index, ID: l.ID, Body: body})
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
