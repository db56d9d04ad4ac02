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

// Fields of the user's definitions are the pattern's.
func TestFieldsOfDefinitions(t *testing.T) {
	t.Parallel()
	p, err := New(`^%{PEER} %{WORD:event.action}$`, map[string]string{"PEER": `%{IP:client.ip}:%{INT:client.port}`})
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]string, len(p.Names()))
	if !p.Match("192.0.2.1:80 connect", dst) {
		t.Fatal("does not fit")
	}
	got := map[string]string{}
	for i, name := range p.Names() {
		got[name] = dst[i]
	}
	if d := cmp.Diff(map[string]string{"client.ip": "192.0.2.1", "client.port": "80", "event.action": "connect"}, got); d != "" {
		t.Error(d)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	definitions := map[string]string{"UID": `u-%{NUMBR}`, "ODD": `%{EVEN}?`, "EVEN": `%{ODD}?`}
	for pattern, want := range map[string]string{
		`%{GREEDYDAT:a}`:   `did you mean "GREEDYDATA"?`,
		`%{UID:a}`:         `definitions.UID: "NUMBR" is no known definition; did you mean "NUMBER"?`,
		`%{ODD:a}`:         `definitions.EVEN: the definition "ODD" uses itself`,
		`%{IP:a} %{IP:a}`:  `"a" is taken twice`,
		`%{NUMBR:a}`:       `did you mean "NUMBER"?`,
		`%{QWERTYUIOP:a}`:  `add it to definitions`,
		`%{NUMBER:a} (`:    "compiling",
		`%{NUMBER:a} [z-a`: "compiling",
	} {
		if _, err := New(pattern, definitions); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}
