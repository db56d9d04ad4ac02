package clickhouse

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"imwatch/event"
	"imwatch/shipper/index"
)

// appendEvent appends the row of an event that was decoded into e.
func appendEvent(dst []byte, cols []column, it index.Item, e *event.Event) []byte {
	dst = append(dst, `{"class":"`...)
	dst = append(dst, event.ClassOf(e.Text(event.FieldLogLevel)).Name...)
	dst = append(dst, '"')
	for _, c := range cols {
		v := e.At(c.field.ID)
		switch {
		case v == nil && c.field.ID == event.FieldEventIngested && !it.Time.IsZero(): // when Kafka had it: the same whenever it is read
			dst = appendName(dst, c.name)
			dst = append(dst, '"')
			dst = event.AppendTime(dst, it.Time)
			dst = append(dst, '"')
		case v == nil:
		case c.field.List:
			dst = appendName(dst, c.name)
			dst = append(dst, '[')
			first := true
			v.Each(func(one event.Value) bool {
				if !first {
					dst = append(dst, ',')
				}
				first = false
				dst = event.AppendString(dst, one.Text)
				return true
			})
			dst = append(dst, ']')
		default:
			dst = appendName(dst, c.name)
			dst = appendOne(dst, *v)
		}
	}
	dst = appendExtra(dst, cols, e)
	return appendPlace(dst, it)
}

// appendOne appends a value as its column's type is read.
func appendOne(dst []byte, v event.Value) []byte {
	switch v.Type {
	case event.Long:
		return strconv.AppendInt(dst, v.Int(), 10)
	case event.Float:
		return strconv.AppendFloat(dst, v.Float(), 'g', -1, 64)
	case event.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case event.Date:
		dst = append(dst, '"')
		dst = event.AppendTime(dst, v.Time())
		return append(dst, '"')
	case event.Keyword, event.Text, event.IP, event.GeoPoint, event.Flattened:
	}
	return event.AppendString(dst, v.Text)
}

// appendExtra appends, as a text with JSON in it, what has no column: members that the contract does not know, and
// lists where it has one value.
func appendExtra(dst []byte, cols []column, e *event.Event) []byte {
	var extra []byte
	add := func(name string) {
		if extra == nil {
			extra = append(extra, '{')
		} else {
			extra = append(extra, ',')
		}
		extra = append(event.AppendString(extra, name), ':')
	}
	for _, x := range e.Extras() {
		add(x.Name)
		extra = append(extra, x.Raw...)
	}
	for _, c := range cols {
		if v := e.At(c.field.ID); v != nil && len(v.List) > 0 && !c.field.List {
			add(c.field.Name)
			extra = e.AppendValue(extra, c.field.ID)
		}
	}
	if extra == nil {
		return dst
	}
	return event.AppendString(appendName(dst, "extra"), string(append(extra, '}')))
}

func appendName(dst []byte, name string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	return append(dst, `":`...)
}

// appendPlace ends a row with where the message was in Kafka.
func appendPlace(dst []byte, it index.Item) []byte {
	dst = event.AppendString(appendName(dst, "kafka_topic"), it.Topic)
	dst = strconv.AppendInt(appendName(dst, "kafka_partition"), int64(it.Partition), 10)
	dst = strconv.AppendInt(appendName(dst, "kafka_offset"), it.Offset, 10)
	return append(dst, "}\n"...)
}

// appendLetter appends the row of a dead letter, and gives its time.
func appendLetter(dst []byte, it index.Item) ([]byte, time.Time, error) {
	var l struct {
		At     time.Time `json:"@timestamp"`
		Stage  string    `json:"stage"`
		Reason string    `json:"reason"`
	}
	if err := json.Unmarshal(it.Body, &l); err != nil {
		return dst, l.At, fmt.Errorf("reading the dead letter %s: %w", it.ID, err)
	}
	dst = append(dst, `{"timestamp":"`...)
	dst = event.AppendTime(dst, l.At)
	dst = append(dst, '"')
	dst = event.AppendString(appendName(dst, "id"), it.ID)
	dst = event.AppendString(appendName(dst, "stage"), l.Stage)
	dst = event.AppendString(appendName(dst, "reason"), l.Reason)
	dst = event.AppendString(appendName(dst, "letter"), string(it.Body))
	return appendPlace(dst, it), l.At, nil
}
