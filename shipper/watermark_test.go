package shipper

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/internal/bus"
	"imwatch/shipper/tail"
)

// A node whose log has been read to its end is told up to the clock, also when it is silent, and also by a shipper
// that was restarted since; its marks go into every partition, behind its lines.
func TestWatermarksFollowTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, b := t.TempDir(), newBus(t)
		live := filepath.Join(dir, "app.log")
		cfg := config(dir, live)
		cfg.Watch = WatchPoll
		at := time.Now()
		appendTo(t, live, line("im-1", 1, at)+"\n"+line("im-2", 2, at)+"\n")
		stop := start(t, cfg, b)
		<-time.After(10*time.Second + 10*time.Millisecond)
		stop()
		_, _, marks := shipped(t, b)
		for _, node := range []string{"im-1", "im-2"} {
			if lag := at.Add(10 * time.Second).Sub(marks[node]); lag < 0 || lag > time.Second {
				t.Errorf("%s: told up to %s, %s behind", node, marks[node], lag)
			}
		}
		byPartition := map[int]int{}
		for _, m := range all(t, b, bus.TopicLifecycle) {
			byPartition[m.Partition]++
		}
		for p := range 3 {
			if byPartition[p] < 20 {
				t.Errorf("partition %d has %d records", p, byPartition[p])
			}
		}
		<-time.After(time.Hour)
		stop = start(t, cfg, b)
		<-time.After(2 * time.Second)
		stop()
		_, _, marks = shipped(t, b)
		if lag := time.Since(marks["im-2"]); lag > 2*time.Second {
			t.Errorf("after a restart the silent node is told up to %s", marks["im-2"])
		}
	})
}

// Before the end is reached it is the newest line that counts, but no line from the future; and a node is as far as
// the log of its that is farthest behind.
func TestWatermarksOfABacklog(t *testing.T) {
	t.Parallel()
	now := epoch
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	p := newProgress([]nodeState{{Name: "silent", Until: at(-50), Seen: at(-50), Files: []string{"a"}}, {Name: "gone", Until: at(-9000), Seen: at(-9000), Files: []string{"x"}}})
	p.note("im-1", "a", now)
	p.note("im-1", "b", now)
	p.note("im-2", "b", now)
	p.note("im-3", "c", now)
	files := []tail.File{{Live: "a", Present: true}, {Live: "b", Present: true, EndAt: at(-1)}, {Live: "c", Present: true}}
	p.newest = map[string]int64{"a": at(-30).UnixNano(), "b": at(-20).UnixNano(), "c": at(99).UnixNano()}
	check := func(live bool, want map[string]time.Time, wantGone int) {
		t.Helper()
		marks, gone := p.watermarks(files, live, now, time.Hour)
		got := map[string]time.Time{}
		for _, m := range marks {
			got[m.Name] = m.Until
		}
		if len(got) != len(want) || len(gone) != wantGone {
			t.Errorf("got %v, gone %v", got, gone)
		}
		for n, u := range want {
			if !got[n].Equal(u) {
				t.Errorf("%s: got %s, want %s", n, got[n], u)
			}
		}
	}
	check(true, map[string]time.Time{"silent": at(-30), "im-1": at(-30), "im-2": at(-1), "im-3": at(0)}, 1)
	// A mark never goes back, whatever turns up.
	p.newest["a"], files[1].EndAt = at(-40).UnixNano(), time.Time{}
	check(true, map[string]time.Time{"silent": at(-30), "im-1": at(-30), "im-2": at(-1), "im-3": at(0)}, 0)
	files[0].EndAt, files[1].EndAt = at(0), at(0)
	check(true, map[string]time.Time{"silent": at(0), "im-1": at(0), "im-2": at(0), "im-3": at(0)}, 0)
}

// A configured node is told as soon as its log is there, before the first line.
func TestWatermarkOfAConfiguredNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, b := t.TempDir(), newBus(t)
		live := filepath.Join(dir, "access.log")
		if err := os.WriteFile(live, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := config(dir, live)
		cfg.Watch = WatchPoll
		cfg.Sources = []Source{{Paths: []string{live}, Format: "gin", Node: "edge-1"}}
		stop := start(t, cfg, b)
		<-time.After(3 * time.Second)
		stop()
		if _, _, marks := shipped(t, b); time.Since(marks["edge-1"]) > 2*time.Second {
			t.Errorf("told up to %s", marks["edge-1"])
		}
	})
}

// While the broker is away the marks stand still: nothing was acknowledged.
func TestNoWatermarkWithoutAcknowledgement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, b := t.TempDir(), newBus(t)
		live := filepath.Join(dir, "app.log")
		cfg := config(dir, live)
		cfg.Watch, cfg.ShutdownTimeout = WatchPoll, time.Millisecond
		appendTo(t, live, line("im-1", 1, time.Now())+"\n")
		stop := start(t, cfg, b)
		<-time.After(2 * time.Second)
		stop()
		_, _, before := shipped(t, b)
		appendTo(t, live, line("im-1", 2, time.Now())+"\n")
		stop = start(t, cfg, &away{b})
		<-time.After(time.Minute)
		stop()
		ids, _, after := shipped(t, b)
		if !after["im-1"].Equal(before["im-1"]) || len(ids) != 1 {
			t.Errorf("before %v, after %v, ids %v", before, after, ids)
		}
		stop = start(t, cfg, b)
		<-time.After(2 * time.Second)
		stop()
		if ids, _, _ := shipped(t, b); len(ids) != 2 {
			t.Errorf("ids %v", ids)
		}
	})
}
