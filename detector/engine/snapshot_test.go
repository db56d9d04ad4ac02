package engine_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
)

const twoRules = `
id: a
title: a rule
severity: warn
group_by: [event.type, user.id]
detect: {threshold: {count: '> 1', window: 10s}}
evidence: {keep: 3, top: {user.id: 3}}
---
id: b
title: another
severity: warn
detect: {consecutive: {count: 2}}
time: {lateness: 5s, idle: 10s}
`

// filled gives an engine with some of everything: keys, spells, buffered events, clocks, a node left out.
func filled(tb testing.TB) (*engine.Engine, []*rule.Rule) {
	tb.Helper()
	rules, findings := rule.Parse("test.yaml", []byte(twoRules))
	if rule.HasErrors(findings) {
		tb.Fatal(findings)
	}
	e, err := engine.New(rules, engine.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tt, ok := tb.(*testing.T)
	if !ok {
		tt = &testing.T{}
	}
	for i, line := range []string{
		"0 service.node.name=n1", "0 service.node.name=n2 user.id=u im.sample.weight=1.5", "60 service.node.name=n3 event.type=a,b",
		"61 service.node.name=n3 user.id=u", "60 service.node.name=n2",
	} {
		e.Observe(i%2, at(tt, line, i), 0)
	}
	e.Advance()
	return e, rules
}

func TestDamagedSnapshotsAreRefused(t *testing.T) {
	t.Parallel()
	e, rules := filled(t)
	b := e.Snapshot()
	if _, err := engine.Restore(rules, engine.Options{}, b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 0x40
		if _, err := engine.Restore(rules, engine.Options{}, b); !errors.Is(err, engine.ErrSnapshot) {
			t.Fatalf("byte %d changed: found %v, expected ErrSnapshot", i, err)
		}
		b[i] ^= 0x40
	}
	for n := range b {
		if _, err := engine.Restore(rules, engine.Options{}, b[:n]); !errors.Is(err, engine.ErrSnapshot) {
			t.Fatalf("cut to %d bytes: found %v, expected ErrSnapshot", n, err)
		}
	}
}

func FuzzRestore(f *testing.F) {
	e, rules := filled(f)
	b := e.Snapshot()
	f.Add(b[:len(b)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		whole := binary.LittleEndian.AppendUint32(append([]byte(nil), body...), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
		restored, err := engine.Restore(rules, engine.Options{}, whole)
		if err != nil {
			return
		}
		restored.Observe(0, at(t, "100 service.node.name=n1", 90), 0) // whatever was read can be worked with
		restored.Advance()
		if _, err := engine.Restore(rules, engine.Options{}, restored.Snapshot()); err != nil {
			t.Fatalf("what was restored cannot be written and read again: %v", err)
		}
	})
}
