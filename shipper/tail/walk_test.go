package tail

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWalkWhileFilesMove goes through the logs one at a time while they are written, rotated, deleted and made: each file
// that was there at the beginning and still is comes once, as it is then, and none twice.
func TestWalkWhileFilesMove(t *testing.T) {
	t.Parallel()
	b := newBench(t, "*.log")
	for i := range 6 {
		b.write(fmt.Sprintf("n%d.log", i), fmt.Sprintf("first of %d\n", i))
	}
	b.read()
	w, got := b.tail.Walk(), map[string]int64{}
	for step, more := 0, true; more; step++ {
		var logs []Log
		logs, more = w.Next(1)
		for _, l := range logs {
			for _, f := range l.Files {
				if _, twice := got[f.Path]; twice {
					t.Errorf("%s came twice", f.Path)
				}
				got[f.Path] = f.Offset
			}
		}
		switch step {
		case 0: // n0 has come, n1 is rotated before it comes, n5 is written
			b.must(os.Rename(b.path("n0.log"), b.path("n0.log.1")))
			b.write("n0.log", "second of 0\n")
			b.must(os.Rename(b.path("n1.log"), b.path("n1.log.1")))
			b.write("n1.log", "second of 1\n")
			b.write("n5.log", "second of 5\n")
			b.write("new.log", "x\n")
		case 2: // before n3 comes
			b.must(os.Remove(b.path("n3.log")))
		}
		b.read()
	}
	want := map[string]int64{"n0.log": 11, "n1.log": 12, "n1.log.1": 11, "n2.log": 11, "n4.log": 11, "n5.log": 23}
	for name := range maps.Clone(want) {
		want[b.path(name)] = want[name]
		delete(want, name)
	}
	delete(got, b.path("n3.log")) // it may be known yet
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s\n%q", d, slices.Sorted(maps.Keys(got)))
	}
	if logs, more := w.Next(5); len(logs) > 0 || more {
		t.Errorf("behind the last come %v", logs)
	}
}
