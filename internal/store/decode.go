package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"imwatch/event"
	"imwatch/event/filter"
)

// DecodeDoc reads a document of any index as an event, for conditions on it. It takes more than event.Decode: a body
// without @timestamp, and one longer than an event may be (a dead letter carries the original), of which the long
// strings are left out. Errors: what event.Decode says of fields that do not fit their types.
func DecodeDoc(body []byte, e *event.Event) error {
	err := event.Decode(body, e)
	fault, ok := errors.AsType[*event.DecodeError](err)
	switch {
	case ok && fault.Reason == "missing":
		return nil
	case ok && fault.Reason == "too_large":
		small, err := shrink(body)
		if err != nil {
			return fmt.Errorf("reading a document of %d bytes: %w", len(body), err)
		}
		return DecodeDoc(small, e)
	}
	return err
}

const longText = 4096 // of an oversized document, longer strings are not looked at

func shrink(body []byte) ([]byte, error) {
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("more than one JSON value in the body")
	}
	small, err := json.Marshal(withoutLong(doc))
	if err != nil || len(small) <= event.MaxLine {
		return small, err
	}
	return json.Marshal(map[string]any{"@timestamp": doc["@timestamp"]})
}

func withoutLong(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if v[k] = withoutLong(x); v[k] == nil {
				delete(v, k)
			}
		}
	case []any:
		for i, x := range v {
			v[i] = withoutLong(x)
		}
	case string:
		if len(v) > longText {
			return nil
		}
	}
	return v
}

// Match makes the predicate of a query on decoded documents, its times included: what Search finds, whatever an
// adapter leaves to its server.
func (q Query) Match() func(*event.Event) bool {
	where := filter.Compile(q.Where)
	return func(e *event.Event) bool {
		if at, ok := e.Get(event.FieldTimestamp); ok {
			if !q.From.IsZero() && at.Time().Before(q.From) || !q.To.IsZero() && !at.Time().Before(q.To) {
				return false
			}
		} else if !q.From.IsZero() || !q.To.IsZero() {
			return false
		}
		if !q.IngestedFrom.IsZero() {
			if at, ok := e.Get(event.FieldEventIngested); !ok || at.Time().Before(q.IngestedFrom) {
				return false
			}
		}
		return where(e)
	}
}
