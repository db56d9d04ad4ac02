package shard

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawRecords(t *rapid.T) []Record {
	var all []Record
	offsets := map[int]int64{}
	for range rapid.IntRange(0, 60).Draw(t, "records") {
		r := Record{Partition: rapid.IntRange(0, 3).Draw(t, "partition")}
		offsets[r.Partition] += rapid.Int64Range(0, 1000).Draw(t, "step")
		switch r.Kind = rapid.SampledFrom([]Kind{Event, Shipped, Heard, Began}).Draw(t, "kind"); r.Kind {
		case Event:
			r.Line, r.Offset = rapid.StringN(0, 5, rapid.SampledFrom([]int{20, 60_000}).Draw(t, "length")).Draw(t, "line"), offsets[r.Partition]
		case Shipped:
			r.Offset = offsets[r.Partition]
			fallthrough
		case Heard:
			r.Node = rapid.StringN(0, 5, -1).Draw(t, "node")
			fallthrough
		default:
			r.At = rapid.Int64().Draw(t, "at")
		}
		all = append(all, r)
	}
	return all
}

// readAll gives the records of frames; offsets of records that have none of their own are left out.
func readAll(t interface{ Fatalf(string, ...any) }, frames [][]byte, version uint64) []Record {
	var all []Record
	for _, f := range frames {
		r, err := Open(string(f))
		if err != nil || r.Version != version {
			t.Fatalf("opening a frame: version %d, %v", r.Version, err)
		}
		for rec, ok := r.Next(); ok; rec, ok = r.Next() {
			if rec.Kind == Heard || rec.Kind == Began {
				rec.Offset = 0
			}
			all = append(all, rec)
		}
		if r.Err() != nil {
			t.Fatalf("reading a frame: %v", r.Err())
		}
	}
	return all
}

func TestFramesHoldWhatWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawRecords(t)
		w := NewWriter(7)
		var frames [][]byte
		for _, r := range want {
			w.record(r)
			if rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
				frames = append(frames, w.Take()...)
			}
		}
		frames = append(frames, w.Take()...)
		if diff := cmp.Diff(want, readAll(t, frames, 7)); diff != "" {
			t.Fatalf("read other records than were written:\n%s", diff)
		}
		var halves [][]byte
		for _, f := range frames {
			split, err := Split(f)
			if err != nil {
				t.Fatalf("splitting: %v", err)
			}
			if split == nil {
				split = [][]byte{f}
			}
			halves = append(halves, split...)
		}
		if diff := cmp.Diff(want, readAll(t, halves, 7)); diff != "" {
			t.Fatalf("halves hold other records:\n%s", diff)
		}
	})
}

func FuzzOpen(f *testing.F) {
	w := NewWriter(1)
	w.Event(2, 17, []byte(`{"a":1}`))
	w.Shipped(2, 18, "n1", 5)
	w.Heard(3, "n2", -1)
	w.Began(0, 9)
	f.Add(w.Take()[0])
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, err := Open(string(frame))
		if err != nil {
			return
		}
		for _, ok := r.Next(); ok; _, ok = r.Next() {
		}
		if err := r.Err(); err != nil && !errors.Is(err, ErrFrame) {
			t.Errorf("found %v, expected ErrFrame", err)
		}
	})
}
