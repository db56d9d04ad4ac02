package shipper

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/shipper/queue"
)

// remaining gives the numbers of the lines that have arrived, each once and those of a key in order, and checks that
// the others were counted.
func (q *queued) remaining() []int {
	q.Helper()
	ids, keys, _ := shipped(q, q.bus)
	var numbers []int
	for n := range q.n {
		if id := lineID(n); ids[id] == 1 {
			numbers = append(numbers, n)
		} else if ids[id] > 1 {
			q.Errorf("%s is there %d times", id, ids[id])
		}
	}
	for key, list := range keys {
		if !slices.IsSorted(list) {
			q.Errorf("the lines of %s are not in order", key)
		}
	}
	if n := int(q.metric("im_shipper_dropped_lines_total")); n != q.n-len(numbers) || n == 0 {
		q.Errorf("%d lines of %d were dropped by the metric, and %d have arrived", n, q.n, len(numbers))
	}
	return numbers
}

func lineID(n int) string {
	return strings.Split(line("im-1", n, epoch), `"id":"`)[1][:len("im-1-boot-0000000000")]
}

// A full queue drops what it is told to, counts it, and reads on.
func TestQueueDrops(t *testing.T) {
	t.Parallel()
	for _, full := range []string{FullOldest, FullNewest} {
		t.Run(full, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newQueued(t)
				q.cfg.Queue.MaxBytes, q.cfg.WindowBytes, q.cfg.Queue.Full = 1<<20, 64<<10, full
				var log bytes.Buffer
				q.log = quiet()
				q.log.SetOutput(&log)
				q.start()
				q.write(1, 3*time.Second)
				q.bus.off.Store(true)
				for range 200 {
					q.write(50, time.Second)
				}
				if n := q.metric("im_shipper_queue_bytes"); n > 1<<20 {
					t.Errorf("%v bytes are in the queue", n)
				}
				dropped := int(q.metric("im_shipper_dropped_lines_total"))
				q.bus.off.Store(false)
				<-time.After(time.Minute)
				got := q.remaining()
				last := q.n - 1
				if kept := slices.Contains(got, last); kept != (full == FullOldest) {
					t.Errorf("the newest line is there: %v", kept)
				}
				if got[0] != 0 || dropped == 0 {
					t.Errorf("the first is line %d, %d were dropped", got[0], dropped)
				}
				q.write(100, 5*time.Second) // it goes on
				if rest := q.remaining(); len(rest) != len(got)+100 {
					t.Errorf("%d lines, expected %d", len(rest), len(got)+100)
				}
				q.stop()
				if told := strings.Count(log.String(), "lines were dropped"); told < 2 || told > 5 || !strings.Contains(log.String(), "info=") {
					t.Errorf("it was told %d times\n%s", told, log.String())
				}
			})
		})
	}
}

// What was dropped to make room is not read again by the next life, and a kill doubles nothing.
func TestDroppedOverRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t)
		q.cfg.Queue.MaxBytes, q.cfg.WindowBytes, q.cfg.Queue.Full = 1<<20, 64<<10, FullOldest
		q.start()
		q.write(1, 3*time.Second)
		q.bus.off.Store(true)
		dropped := 0
		for range 3 {
			for range 100 {
				q.write(50, time.Second)
			}
			dropped += int(q.metric("im_shipper_dropped_lines_total"))
			q.stop()
			q.start()
		}
		q.bus.off.Store(false)
		<-time.After(time.Minute)
		ids, _, _ := shipped(q, q.bus)
		for id, n := range ids {
			if n > 1 {
				t.Errorf("%s is there %d times", id, n)
			}
		}
		if len(ids)+dropped != q.n || ids[lineID(q.n-1)] != 1 {
			t.Errorf("%d lines of %d, %d were dropped", len(ids), q.n, dropped)
		}
	})
}

// The same on a disk of 2 MiB that is full before the queue is.
func TestDropsOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	if err := (queue.OS{}).MkdirAll(disk, 0o750); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("no disk can be mounted: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.Background(), "umount", disk).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	for _, full := range []string{FullOldest, FullNewest} {
		b := &switched{Bus: newBus(t)}
		live := filepath.Join(dir, full+".log")
		cfg := config(dir, live)
		cfg.Checkpoint, cfg.BatchLines = filepath.Join(dir, full, "checkpoint.json"), 200
		cfg.Queue.Dir, cfg.Queue.Full, cfg.WindowBytes = filepath.Join(disk, full), full, 64<<10
		q := &queued{T: t, bus: b, cfg: cfg, live: live, files: queue.OS{}, log: quiet(), stop: func() {}}
		q.start()
		q.write(1, 0)
		eventually(t, "the first line has arrived", func() bool { return q.metric("im_shipper_lines_total") == 1 })
		b.off.Store(true)
		for q.metric("im_shipper_dropped_lines_total") < 2000 {
			q.write(2000, 10*time.Millisecond)
			if t.Context().Err() != nil || q.n > 500_000 {
				t.Fatalf("%d lines fit on the disk", q.n)
			}
		}
		b.off.Store(false)
		eventually(t, "all that was not dropped has arrived", func() bool {
			sent := q.metric("im_shipper_dropped_lines_total")
			ids, _, _ := shipped(t, b)
			return len(ids)+int(sent) == q.n
		})
		q.remaining()
		q.stop()
	}
}

// A request that is cut over several batches is not acknowledged when one of them was dropped, whatever becomes of its
// last one.
func TestNobodyIsToldThatDroppedLinesAreSafe(t *testing.T) {
	t.Parallel()
	q, err := queue.Open(queue.Config{Dir: t.TempDir(), MaxBytes: 400}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	cfg := config(t.TempDir())
	cfg.Queue.Full = FullNewest
	s := &sender{
		cfg: cfg, log: quiet(), now: func() time.Time { return epoch }, metrics: newMetrics(), queue: q, bus: newBus(t), lanes: map[place]*lane{},
		sealer: sealer{bus: newBus(t), now: func() time.Time { return epoch }, partitions: [2]int{1, 1}}, free: make(chan *batch, 1),
	}
	told := 0
	slip := &receipt{done: func() { told++ }}
	give := func(lines int, change change) {
		b := newBatch(10, 1<<20)
		for n := range lines {
			start := len(b.arena)
			b.arena = append(b.arena, line("im-1", n, epoch)...)
			b.add(start, "k")
		}
		b.begun, b.done = change.begun, change.done
		if err := s.take(b); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.queue.Append(epoch, []byte("something")); err != nil { // the queue is never empty
			t.Fatal(err)
		}
		s.keepStuck(t)
	}
	give(9, change{begun: []*receipt{slip}})
	if s.stuck != nil || !slip.void {
		t.Fatal("the first part was not dropped")
	}
	if s.rider == nil || len(s.rider.done) > 0 {
		t.Fatal("its positions do not go on, or somebody is told")
	}
	last := change{done: []func(){slip.settle}}
	last.settle()
	if told != 0 {
		t.Error("it was acknowledged")
	}
}

// keepStuck puts the entry into the queue as store does.
func (s *sender) keepStuck(t *testing.T) {
	t.Helper()
	s.cfg.WindowBytes = 0 // nothing is sent
	if err := s.store(t.Context()); err != nil {
		t.Fatal(err)
	}
}
