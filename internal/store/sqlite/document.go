package sqlite

import (
	"net/netip"
	"strings"

	"imwatch/event"
)

// hot is one field that has a column of its own, so that conditions on it need no decoding.
type hot struct {
	field event.FieldID
	name  string
}

// hotColumns gives them in the order of the table's columns. All are fields that have one value.
func hotColumns() []hot {
	return []hot{
		{event.FieldLogLevel, "level"},
		{event.FieldEventAction, "action"},
		{event.FieldEventOutcome, "outcome"},
		{event.FieldServiceNode, "node"},
		{event.FieldClientIP, "client_ip"},
		{event.FieldUserID, "user_id"},
		{event.FieldEventReason, "reason"},
		{event.FieldCloseReason, "close_reason"},
		{event.FieldURLPath, "url_path"},
		{event.FieldHTTPStatus, "status"},
	}
}

// row gives the values of all columns for a document; e is its decoded body.
func row(id string, version int64, body []byte, e *event.Event) []any {
	ts, ingested, odd := int64(absent), any(nil), false
	if v, ok := e.Get(event.FieldTimestamp); ok {
		ts, odd = v.UnixNano(), v.List != nil
	}
	if v, ok := e.Get(event.FieldEventIngested); ok {
		ingested, odd = v.UnixNano(), odd || v.List != nil
	}
	if v, ok := e.Get(event.FieldSampleWeight); ok && v.List != nil {
		odd = true
	}
	values := append(make([]any, 0, 20), id, ts, ingested, version, false, e.Weight())
	for _, h := range hotColumns() {
		var x any
		if v, ok := e.Get(h.field); ok {
			var whole bool
			x, whole = column(v)
			odd = odd || !whole
		}
		values = append(values, x)
	}
	values[4] = odd
	return append(values, body)
}

// column gives what a column holds of a value, and whether that is the whole truth: conditions on a list, and on text
// with NULs, are not left to SQL.
func column(v event.Value) (any, bool) {
	switch {
	case v.List != nil:
		return nil, false
	case v.Type == event.Long:
		return v.Int(), true
	case v.Type == event.IP:
		a, err := netip.ParseAddr(v.Text)
		return a.Unmap().String(), err == nil
	}
	return v.Text, !strings.Contains(v.Text, "\x00")
}
