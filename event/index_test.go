package event_test

import (
	"testing"
	"time"

	"imwatch/event"
)

func TestIndexIsOfTheEventsOwnDay(t *testing.T) {
	for level, want := range map[string]string{
		"fatal": "im-connection-error-2026.11.20", "error": "im-connection-error-2026.11.20", "warn": "im-connection-warn-2026.11.20",
		"info": "im-connection-info-2026.11.20", "debug": "im-connection-info-2026.11.20",
	} {
		e := decode(t, `{"@timestamp":"2026-11-21T00:30:00+01:00","log.level":"`+level+`"}`)
		if got := e.Index(); got != want {
			t.Errorf("%s: %s, want %s", level, got, want)
		}
	}
}

func TestExpired(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		level string
		days  int
		want  bool
	}{{"info", 30, false}, {"info", 31, true}, {"warn", 90, false}, {"warn", 91, true}, {"error", 180, false}, {"fatal", 181, true}} {
		if got := event.Expired(c.level, now.AddDate(0, 0, -c.days), now); got != c.want {
			t.Errorf("%s after %d days: %v", c.level, c.days, got)
		}
	}
}

func TestLevelOfAShortLife(t *testing.T) {
	if got := event.CloseNormal.LevelFor(29 * time.Second); got != event.LevelWarn {
		t.Errorf("short life: %s", got)
	}
	if got := event.CloseNormal.LevelFor(30 * time.Second); got != event.LevelInfo {
		t.Errorf("long life: %s", got)
	}
}
