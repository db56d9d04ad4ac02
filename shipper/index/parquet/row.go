package parquet

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/parquet-go/parquet-go"

	"imwatch/event"
	"imwatch/shipper/index"
)

// rows makes rows of items. Their values lie in its memory until reset.
type rows struct {
	of   layout
	all  []parquet.Row
	text []byte
	n    int
}

// next gives an empty row.
func (r *rows) next() *parquet.Row {
	if r.n == len(r.all) {
		r.all = append(r.all, nil)
	}
	row := &r.all[r.n]
	*row = (*row)[:0]
	r.n++
	return row
}

func (r *rows) take() []parquet.Row { return r.all[:r.n] }

func (r *rows) reset() { r.n, r.text = 0, r.text[:0] }

// bytes puts a text where it stays until reset.
func (r *rows) bytes(s string) parquet.Value {
	start := len(r.text)
	r.text = append(r.text, s...)
	return parquet.ByteArrayValue(r.text[start:len(r.text):len(r.text)])
}

// put adds a required (level 0) or present optional (level 1) value.
func put(row *parquet.Row, c column, level int, v parquet.Value) {
	*row = append(*row, v.Level(0, level, c.index))
}

// addEvent makes the row of an event that was decoded into e.
func (r *rows) addEvent(it index.Item, e *event.Event) {
	row := r.next()
	for _, c := range r.of.columns {
		if c.name == columnExtra {
			extra := r.extra(e)
			put(row, c, present(!extra.IsNull()), extra)
			continue
		}
		if c.field.Name == "" {
			r.addPlace(row, c, it)
			continue
		}
		v := e.At(c.field.ID)
		switch {
		case c.field.ID == event.FieldEventIngested && v == nil && !it.Time.IsZero(): // when Kafka had it: the same whenever it is read
			put(row, c, 1, parquet.Int64Value(it.Time.UnixMicro()))
		case v == nil:
			put(row, c, 0, parquet.NullValue())
		case c.field.List:
			r.addList(row, c, v)
		default:
			put(row, c, 1, r.value(*v))
		}
	}
}

// addList adds a list's elements.
func (r *rows) addList(row *parquet.Row, c column, v *event.Value) {
	i := 0
	v.Each(func(one event.Value) bool {
		*row = append(*row, r.value(one).Level(min(i, 1), 2, c.index))
		i++
		return true
	})
	if i == 0 { // a list without elements
		put(row, c, 1, parquet.NullValue())
	}
}

// value gives a value in its column's type.
func (r *rows) value(v event.Value) parquet.Value {
	switch v.Type {
	case event.Long:
		return parquet.Int64Value(v.Int())
	case event.Float:
		return parquet.DoubleValue(v.Float())
	case event.Bool:
		return parquet.BooleanValue(v.Bool())
	case event.Date:
		return parquet.Int64Value(v.Time().UnixMicro())
	case event.Keyword, event.Text, event.IP, event.GeoPoint, event.Flattened:
	}
	return r.bytes(v.Text)
}

// extra is a JSON object of what has no column: members that the contract does not know, and lists where it has one
// value. Null where there is nothing.
func (r *rows) extra(e *event.Event) parquet.Value {
	start := len(r.text)
	add := func(name string) {
		if len(r.text) == start {
			r.text = append(r.text, '{')
		} else {
			r.text = append(r.text, ',')
		}
		r.text = event.AppendString(r.text, name)
		r.text = append(r.text, ':')
	}
	for _, x := range e.Extras() {
		add(x.Name)
		r.text = append(r.text, x.Raw...)
	}
	for _, c := range r.of.columns {
		if v := e.At(c.field.ID); c.field.Name != "" && !c.field.List && v != nil && len(v.List) > 0 {
			add(c.field.Name)
			r.text = e.AppendValue(r.text, c.field.ID)
		}
	}
	if len(r.text) == start {
		return parquet.NullValue()
	}
	r.text = append(r.text, '}')
	return parquet.ByteArrayValue(r.text[start:len(r.text):len(r.text)])
}

// addPlace adds a column of where the message was in Kafka.
func (r *rows) addPlace(row *parquet.Row, c column, it index.Item) {
	switch c.name {
	case columnTopic:
		put(row, c, 0, r.bytes(it.Topic))
	case columnPartition:
		put(row, c, 0, parquet.Int32Value(int32(it.Partition))) //nolint:gosec // Kafka numbers partitions by int32
	case columnOffset:
		put(row, c, 0, parquet.Int64Value(it.Offset))
	}
}

func present(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// letter is what of a dead letter has a column of its own.
type letter struct {
	At     time.Time `json:"@timestamp"`
	Stage  string    `json:"stage"`
	Reason string    `json:"reason"`
}

func readLetter(it index.Item) (letter, error) {
	var l letter
	if err := json.Unmarshal(it.Body, &l); err != nil {
		return l, fmt.Errorf("reading the dead letter %s: %w", it.ID, err)
	}
	return l, nil
}

// addLetter makes the row of a dead letter.
func (r *rows) addLetter(it index.Item, l letter) {
	row := r.next()
	for _, c := range r.of.columns {
		switch c.name {
		case "@timestamp":
			put(row, c, 1, parquet.Int64Value(l.At.UnixMicro()))
		case "id":
			put(row, c, 1, r.bytes(it.ID))
		case "stage":
			put(row, c, 1, r.bytes(l.Stage))
		case "reason":
			put(row, c, 1, r.bytes(l.Reason))
		case "letter":
			put(row, c, 0, r.bytes(string(it.Body)))
		default:
			r.addPlace(row, c, it)
		}
	}
}
