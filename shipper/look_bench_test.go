package shipper

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"imwatch/shipper/tail"
)

// manyFiles is a reader that has read so many files, one line each.
func manyFiles(b *testing.B, n int) *reader {
	b.Helper()
	dir := b.TempDir()
	for i := range n {
		text := line(fmt.Sprintf("im-%d", i%100), i, epoch) + "\n"
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("node-%d.log", i)), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cfg := config(dir, filepath.Join(dir, "*.log"))
	t, err := cfg.OpenTrial("n", quiet(), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	x, err := t.try(cfg.Sources[0], t.stages.Stages, nil)
	if err != nil {
		b.Fatal(err)
	}
	r := x.reader
	r.ledger, r.watcher = newLedger(checkpoint{}, time.Now()), nil
	if r.tail, err = tail.New(tail.Options{Sources: []tail.Source{cfg.Sources[0].followed(nil)}, OpenFiles: 500, Log: quiet()}, nil); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.tail.Close)
	r.scan()
	for more := true; more; {
		more = r.fill()
		r.ledger.acknowledge(&r.batch.change, 0)
		r.batch.reset()
	}
	r.mark()
	return r
}

// BenchmarkFilesHoldUp measures a list of ten thousand files: all of it, and for how long the reader stands still for it at
// once, in the longest of its pieces on average.
func BenchmarkFilesHoldUp(b *testing.B) {
	const n = 10_000
	r := manyFiles(b, n)
	var longest time.Duration
	for b.Loop() {
		files := 0
		began := time.Now()
		walk := r.tail.Walk()
		most := time.Since(began)
		for more := true; more; {
			began = time.Now()
			some, left := r.files(walk, filesAtOnce)
			most = max(most, time.Since(began))
			files, more = files+len(some), left
		}
		if files != n {
			b.Fatalf("%d files", files)
		}
		longest += most
	}
	b.ReportMetric(float64(longest.Microseconds())/1e3/float64(b.N), "ms-at-once")
}

// BenchmarkMark measures how long the reader stands still for watermarks, and what it shows with them, over ten thousand
// files.
func BenchmarkMark(b *testing.B) {
	r := manyFiles(b, 10_000)
	for b.Loop() {
		r.mark()
	}
}
