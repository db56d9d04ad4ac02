package app

import (
	"testing"
	"time"
)

func TestExpires(t *testing.T) {
	for name, want := range map[string]string{
		"im-connection-info-2026.01.01":  "2026-02-01",
		"im-connection-warn-2026.01.01":  "2026-04-02",
		"im-connection-error-2026.01.01": "2026-07-01",
		"im-deadletter-2026.01.01":       "2026-02-01",
		"im-alerts-2026.01":              "2027-02-01",
		"im-notify-2026.01":              "2027-02-01",
	} {
		got, ok := expires(name)
		if !ok || got.Format(time.DateOnly) != want {
			t.Errorf("%s: %v %v, want %s", name, got, ok, want)
		}
	}
	for _, name := range []string{"im-connection-other-2026.01.01", "im-connection-info-today", "mine-2026.01.01", "im"} {
		if _, ok := expires(name); ok {
			t.Errorf("%s would be dropped", name)
		}
	}
}
