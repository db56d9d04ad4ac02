package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkKnownFiles is a restart with 10,000 logs whose positions are known, until every one was looked at; and a
// look at them while nothing happens.
func BenchmarkKnownFiles(b *testing.B) {
	const files = 10_000
	for _, packed := range []bool{false, true} {
		dir := b.TempDir()
		for i := range files {
			name, text := filepath.Join(dir, fmt.Sprintf("app%d.log", i)), fmt.Appendf(nil, "line %d of a log\nand another\n", i)
			if packed {
				name, text = name+".1.gz", pack(b, text)
			}
			if err := os.WriteFile(name, text, 0o600); err != nil {
				b.Fatal(err)
			}
		}
		opts := Options{Sources: []Source{{Paths: []string{filepath.Join(dir, "*.log")}}}, Log: quiet(), Now: func() time.Time { return time.Now().Add(time.Minute) }}
		var states []State
		t := drained(b, opts, nil, func(c *Chunk) { states = append(states, c.Mark(len(c.Data))) })
		t.Close()
		if len(states) != files {
			b.Fatalf("%d files were read", len(states))
		}
		b.Run(fmt.Sprintf("restart/gzip=%v", packed), func(b *testing.B) {
			for b.Loop() {
				drained(b, opts, states, func(c *Chunk) { b.Fatalf("%s was read again", c.Path) }).Close()
			}
		})
		b.Run(fmt.Sprintf("look/gzip=%v", packed), func(b *testing.B) {
			t := drained(b, opts, states, func(*Chunk) {})
			defer t.Close()
			for b.Loop() {
				t.Scan()
			}
		})
	}
}

// drained makes a tail and reads all there is.
func drained(b *testing.B, o Options, states []State, take func(*Chunk)) *Tail {
	b.Helper()
	t, err := New(o, states)
	if err != nil {
		b.Fatal(err)
	}
	t.Scan()
	for c, ok := t.Next(); ok; c, ok = t.Next() {
		take(&c)
	}
	return t
}
