package event

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Value is the value of one field. It is immutable once set; its strings may share memory with the line it was
// decoded from.
type Value struct {
	Type Type
	// Text is the value as it came: of a keyword the string, of a number its digits, of a date its letters, of a
	// geo_point or flattened its JSON. It is what keys are compared and printed by.
	Text string
	bits uint64
	// List holds the values of a field that has several; the Value itself is then the first of them.
	List []Value
}

// KeywordValue makes a value of type Keyword.
func KeywordValue(s string) Value { return Value{Type: Keyword, Text: s} }

// TextValue makes a value of type Text.
func TextValue(s string) Value { return Value{Type: Text, Text: s} }

// IPValue makes a value of type IP from an address in text form, which must be one.
func IPValue(s string) Value { return Value{Type: IP, Text: s} }

// LongValue makes a value of type Long.
func LongValue(n int64) Value {
	return Value{Type: Long, Text: strconv.FormatInt(n, 10), bits: uint64(n)}
}

// FloatValue makes a value of type Float.
func FloatValue(f float64) Value {
	return Value{Type: Float, Text: strconv.FormatFloat(f, 'g', -1, 64), bits: math.Float64bits(f)}
}

// BoolValue makes a value of type Bool.
func BoolValue(b bool) Value {
	if b {
		return Value{Type: Bool, Text: "true", bits: 1}
	}
	return Value{Type: Bool, Text: "false"}
}

// DateValue makes a value of type Date, printed in UTC with the digits of a second that t has, at least three.
func DateValue(t time.Time) Value {
	return Value{Type: Date, Text: FormatTime(t), bits: uint64(t.UnixNano())}
}

// Int gives a Long's number; of a Float it is the integral part.
func (v Value) Int() int64 {
	if v.Type == Float {
		return int64(math.Float64frombits(v.bits))
	}
	return int64(v.bits)
}

// Float gives a Float's or Long's number.
func (v Value) Float() float64 {
	if v.Type == Float {
		return math.Float64frombits(v.bits)
	}
	return float64(int64(v.bits))
}

// Bool gives a Bool's truth.
func (v Value) Bool() bool { return v.bits != 0 }

// UnixNano gives a Date's instant.
func (v Value) UnixNano() int64 { return int64(v.bits) }

// Time gives a Date's instant in UTC.
func (v Value) Time() time.Time { return time.Unix(0, int64(v.bits)).UTC() }

// Canonical gives one text for one value, however a line spelt it, where Text is as it came: addresses in short form,
// IPv4-mapped ones as IPv4, numbers in the fewest digits, dates by FormatTime.
func (v Value) Canonical() string {
	switch v.Type {
	case Long:
		return strconv.FormatInt(v.Int(), 10)
	case Float:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case Date:
		return FormatTime(v.Time())
	case IP:
		if !strings.Contains(v.Text, ":") {
			return v.Text // IPv4 has one form only
		}
		if a, err := netip.ParseAddr(v.Text); err == nil {
			return a.Unmap().String()
		}
	case Keyword, Text, Bool, GeoPoint, Flattened:
	}
	return v.Text
}

// Each calls f for every value of the field, in order, until f returns false.
func (v Value) Each(f func(Value) bool) {
	if v.List == nil {
		f(v)
		return
	}
	for i := range v.List {
		if !f(v.List[i]) {
			return
		}
	}
}

// FormatTime prints an instant as the contract asks: RFC 3339, UTC, with at least milliseconds.
func FormatTime(t time.Time) string { return string(AppendTime(nil, t)) }

// AppendTime is FormatTime into a buffer.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	if t.Nanosecond()%1e6 == 0 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	}
	return t.AppendFormat(dst, "2006-01-02T15:04:05.999999999Z")
}
