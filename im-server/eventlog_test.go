package imserver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"

	"imwatch/event"
)

// newTestLog makes an event log without a server around it, and its stop.
func newTestLog(tb testing.TB, c LogConfig, file *logFile) (q *eventQueue, l *eventLog, stop func()) {
	tb.Helper()
	q = newEventQueue("im-test-b00t-", c.Queue)
	diag := logrus.New()
	diag.SetOutput(new(bytes.Buffer))
	l = &eventLog{queue: q, file: file, now: time.Now, diag: diag, lines: prometheus.NewCounter(prometheus.CounterOpts{Name: "lines"})}
	l.init()
	ended, done := make(chan struct{}), make(chan struct{})
	go func() { l.run(ended); close(done) }()
	return q, l, func() {
		q.close()
		close(ended)
		<-done
		if err := l.Close(); err != nil {
			tb.Error(err)
		}
	}
}

func line(q *eventQueue, text string) queued {
	ev := q.event()
	ev.Begin(event.ActionConnectionStats, time.Now())
	ev.SetText(event.FieldUserID, text)
	return queued{ev: ev}
}

// TestRotationLosesNoLine lets many writers write while the file is rotated by size, renamed by somebody else and reopened,
// and wants every line once, whole, and in the order of ids.
func TestRotationLosesNoLine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		writers := rapid.IntRange(1, 8).Draw(rt, "writers")
		lines := rapid.IntRange(1, 300).Draw(rt, "lines")
		path := filepath.Join(t.TempDir(), "im-server.log")
		c := LogConfig{MaxBytes: rapid.Int64Range(1<<10, 1<<16).Draw(rt, "max"), MaxAge: rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Hour}).Draw(rt, "age"), Queue: 1 << 20}
		file, err := openLogFile(path, c, time.Now)
		if err != nil {
			rt.Fatal(err)
		}
		q, l, stop := newTestLog(t, c, file)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range lines {
					if !q.put(line(q, fmt.Sprintf("%d-%d", w, i))) {
						t.Error("a line was dropped")
					}
				}
			})
		}
		for i := range rapid.IntRange(0, 5).Draw(rt, "renames") {
			// Somebody else's logrotate: a name that sorts after ours of this moment is not needed, ids tell the order.
			if err := os.Rename(path, fmt.Sprintf("%s.%s", path, time.Date(2020, 1, 1, 0, 0, i, 0, time.UTC).Format(rotatedStamp))); err != nil && !errors.Is(err, os.ErrNotExist) {
				rt.Fatal(err)
			}
			select {
			case l.reopen <- struct{}{}:
			default:
			}
		}
		wg.Wait()
		stop()
		checkLines(rt, path, writers*lines)
	})
}

func checkLines(t *rapid.T, path string, wanted int) {
	t.Helper()
	names, err := rotatedFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	users, ids := map[string]bool{}, map[string]bool{}
	for _, name := range append(names, path) {
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		last := ""
		for text := range bytes.Lines(b) {
			var ev event.Event
			if err := event.Decode(bytes.TrimSuffix(text, []byte("\n")), &ev); err != nil {
				t.Fatalf("%s: %q: %v", name, text, err)
			}
			if ev.ID() <= last {
				t.Fatalf("%s: id %s after %s", name, ev.ID(), last)
			}
			last = ev.ID()
			users[ev.Text(event.FieldUserID)], ids[ev.ID()] = true, true
		}
	}
	if len(users) != wanted || len(ids) != wanted {
		t.Fatalf("%d lines with %d ids, want %d", len(users), len(ids), wanted)
	}
}

func TestOldFilesAreRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "im-server.log")
	write(t, besideLog(path, ".conns"), "not a log")
	file, err := openLogFile(path, LogConfig{MaxBytes: 1 << 10, MaxAge: time.Hour, Keep: 3}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for range 20 {
		if err := file.rotateIfDue(1000); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(bytes.Repeat([]byte("x"), 1000)); err != nil {
			t.Fatal(err)
		}
	}
	names, err := rotatedFiles(path)
	if err != nil || len(names) != 3 {
		t.Errorf("%d renamed files are kept, %v", len(names), err)
	}
	if !exists(besideLog(path, ".conns")) {
		t.Error("the ledger was removed")
	}
}

// TestLogOutlivesALostDirectory takes the directory away: rotation fails, and lines still go to the file that is open.
func TestLogOutlivesALostDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "im-server.log")
	c := LogConfig{MaxBytes: 1 << 10, MaxAge: time.Hour, Queue: 1000}
	file, err := openLogFile(path, c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	q, _, stop := newTestLog(t, c, file)
	q.put(line(q, "before"))
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		q.put(line(q, fmt.Sprintf("during-%d", i)))
	}
	stop()
	var all []byte
	for _, d := range []string{dir, dir + ".away"} {
		names, _ := filepath.Glob(filepath.Join(d, "im-server.log*")) // the pattern is good
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
	}
	if n := bytes.Count(all, []byte("\n")); n != 21 {
		t.Errorf("%d of 21 lines are in the log", n)
	}
}

func TestFullQueueDropsAndKeepsPairs(t *testing.T) {
	t.Parallel()
	q := newEventQueue("im-test-b00t-", 3)
	open := func(id string) bool {
		it := line(q, id)
		it.open = &openRecord{ID: id}
		return q.put(it)
	}
	end := func(id string) bool {
		it := line(q, id)
		it.close = id
		return q.put(it)
	}
	if !open("c-1") || !q.put(line(q, "x")) || !open("c-2") {
		t.Fatal("the queue is full too early")
	}
	if open("c-3") || q.put(line(q, "y")) {
		t.Error("a full queue took more")
	}
	if !end("c-1") || !end("c-2") {
		t.Error("an end was dropped: its connection has a start in the log")
	}
	if q.drops() != 2 {
		t.Errorf("%d drops", q.drops())
	}
	items, seq := q.take(nil)
	if len(items) != 5 || seq != 5 || items[4].ev.ID() != "im-test-b00t-0000000005" {
		t.Errorf("%d items up to %d", len(items), seq)
	}
	q.close()
	if q.put(line(q, "z")) {
		t.Error("a closed queue took an event")
	}
}

func TestFormatterRefusesOtherEntries(t *testing.T) {
	t.Parallel()
	if b, err := new(eventFormatter).Format(logrus.NewEntry(logrus.New())); err == nil {
		t.Errorf("an entry without an event became %q", b)
	}
}

func TestEventIDsSort(t *testing.T) {
	t.Parallel()
	last := ""
	for _, n := range []uint64{0, 1, 9, 10, 99_999, 1_000_000_000, 9_999_999_999, 10_000_000_000} {
		id := eventID("im-", n)
		if id != fmt.Sprintf("im-%010d", n) {
			t.Errorf("%d became %s", n, id)
		}
		if len(id) == len("im-")+seqDigits && id <= last {
			t.Errorf("%s does not sort after %s", id, last)
		}
		last = id
	}
	if a, b := bootID(time.UnixMilli(1_763_719_200_999)), bootID(time.UnixMilli(1_763_719_201_000)); a >= b {
		t.Errorf("boot %s does not sort before %s", a, b)
	}
}

// lifecycleEvent fills a disconnect line as a connection does.
func lifecycleEvent(c *conn) *event.Event {
	ev := c.event(event.ActionDisconnect)
	ev.SetInt(event.FieldEventDuration, 123_456_789_012)
	e := ending{reason: event.CloseClientGone, phase: phaseActive, err: errors.New("read tcp 10.1.2.3:8080->192.0.2.33:51234: connection reset by peer")}
	e.describe(ev)
	ev.SetFloat(event.FieldHeartbeatRTT, 12.5)
	for _, id := range []event.FieldID{event.FieldMessageUnacked, event.FieldBytesIn, event.FieldBytesOut, event.FieldMessagesIn, event.FieldMessagesOut} {
		ev.SetInt(id, 123_456)
	}
	return ev
}

// BenchmarkLifecycleLine is a disconnect line from the first field to the bytes for the file, through logrus.
func BenchmarkLifecycleLine(b *testing.B) {
	q := newEventQueue("im-1-19d1ab5c3f2a1b2-", 1<<20)
	s := &Server{node: "im-1", now: time.Now, events: q, start: time.Now(), deps: Deps{Version: "1.0.0"}, cfg: DefaultConfig()}
	c := &conn{s: s, id: newID(), session: newID(), client: clientInfo{
		ip: "192.0.2.33", port: 51234, destPort: 8080, user: "u-123456", device: "d-123456", platform: "ios", appVersion: "8.1.2",
		agent: "im-client/8.1 (iPhone; iOS 19.1)", trace: continueTrace(""),
	}}
	l := &eventLog{queue: q, now: time.Now, lines: prometheus.NewCounter(prometheus.CounterOpts{Name: "lines"})}
	l.init()
	var spare []queued
	b.ReportAllocs()
	for b.Loop() {
		q.put(queued{ev: lifecycleEvent(c)})
		items, _ := q.take(spare)
		l.format(items[0].ev)
		q.recycle(items[0].ev)
		spare = items
		if len(l.buf) > batchBytes {
			l.buf = l.buf[:0]
		}
	}
	b.SetBytes(int64(strings.Index(string(l.buf), "\n") + 1))
}
