package imserver

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/event"
)

// TestCertificateIsRemindedOf goes hour by hour from long before the end of a certificate to a day after it, and then to
// others.
func TestCertificateIsRemindedOf(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	var r certReminder
	told := map[string]int{}
	for now := end.Add(-20 * 24 * time.Hour); now.Before(end.Add(24 * time.Hour)); now = now.Add(time.Hour) {
		if level, ok := r.due(end, now); ok {
			told[level]++
		}
	}
	if diff := cmp.Diff(map[string]int{"warn": 13, "error": 2}, told); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, tt := range []struct {
		left time.Duration
		want bool
	}{{13 * 24 * time.Hour, true}, {15 * 24 * time.Hour, false}, {time.Hour, true}} {
		if _, ok := r.due(end.Add(tt.left), end); ok != tt.want {
			t.Errorf("a certificate with %v left is told: %t", tt.left, ok)
		}
	}
	if _, ok := r.due(time.Time{}, end); ok {
		t.Error("without TLS something was told")
	}
}

// TestCertificateNearItsEnd: the line comes when the server starts.
func TestCertificateNearItsEnd(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.TLS.CertFile, cfg.TLS.KeyFile = writeCertificate(t) // for an hour
	f := serve(t, cfg, Deps{})
	ev := f.log.action(t, event.ActionCertificateExpiry)
	want(t, ev, map[event.FieldID]string{event.FieldLogLevel: "error", event.FieldTLSNotAfter: event.FormatTime(f.certificateEnd())})
}
