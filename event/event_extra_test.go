package event

import "testing"

func TestFieldsCanBeTakenAway(t *testing.T) {
	t.Parallel()
	var e Event
	e.SetText(FieldUserID, "u1")
	e.SetLabel("a", "1")
	e.SetExtra("foreign.b", "2")
	e.SetExtra("foreign.b", "3")
	if got := string(e.AppendJSON(nil)); got != `{"user":{"id":"u1"},"labels.a":"1","foreign.b":3}` {
		t.Error(got)
	}
	e.Unset(FieldUserID)
	e.Unset(FieldClientIP)
	e.SetExtra("labels.a", "")
	e.SetExtra("labels.none", "")
	if got := string(e.AppendJSON(nil)); got != `{"foreign.b":3}` || e.Has(FieldUserID) {
		t.Error(got)
	}
	e.SetText(FieldUserID, "u2")
	if e.Text(FieldUserID) != "u2" {
		t.Error("a field that was taken away cannot be set again")
	}
}
