package grok

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	p, err := New(`^%{TIMESTAMP_ISO8601:timestamp} %{SHARD:labels.shard}(?: %{IP:client.ip})?$`, map[string]string{"SHARD": `s-%{INT}`})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"timestamp", "labels.shard", "client.ip"}, p.Names()); d != "" {
		t.Error(d)
	}
	dst := []string{"", "", "left over"}
	if !p.Match("2026-11-21 10:00:00 s-3", dst) {
		t.Fatal("does not fit")
	}
	if d := cmp.Diff([]string{"2026-11-21 10:00:00", "s-3", ""}, dst); d != "" {
		t.Error(d)
	}
	if p.Match("2026-11-21 10:00:00 t-3", dst) {
		t.Error("fits")
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`%{IP:a} %{IP:a}`:  `"a" is taken twice`,
		`%{NUMBR:a}`:       `did you mean "NUMBER"?`,
		`%{QWERTYUIOP:a}`:  `add it to definitions`,
		`%{NUMBER:a} (`:    "compiling",
		`%{NUMBER:a} [z-a`: "compiling",
	} {
		if _, err := New(pattern, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}
