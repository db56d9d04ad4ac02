package shipper

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/event"
	"imwatch/internal/bus"
)

var epoch = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func TestShipsAcrossRotationsAndRestarts(t *testing.T) {
	t.Parallel()
	for _, watch := range []string{WatchAuto, WatchPoll} {
		for _, copied := range []bool{false, true} {
			t.Run(fmt.Sprintf("watch=%s copytruncate=%v", watch, copied), func(t *testing.T) {
				t.Parallel()
				dir, b := t.TempDir(), newBus(t)
				live := filepath.Join(dir, "app.log")
				cfg := config(dir, live)
				cfg.Watch, cfg.PollInterval = watch, 5*time.Millisecond
				n, stop := 0, func() {}
				for round := range 12 {
					if round%3 == 0 {
						stop()
						stop = start(t, cfg, b)
					}
					for range 50 {
						appendTo(t, live, line("im-1", n, epoch.Add(time.Duration(n)*time.Millisecond))+"\n")
						n++
					}
					rotate(t, live, round, copied)
				}
				appendTo(t, live, line("im-1", n, epoch)+"\n")
				n++
				eventually(t, "all lines are shipped", func() bool { ids, _, _ := shipped(t, b); return len(ids) == n })
				stop()
				ids, keys, _ := shipped(t, b)
				for id, times := range ids {
					if times != 1 {
						t.Errorf("%s came %d times", id, times)
					}
				}
				for key, got := range keys {
					// A copy is seen as such only when it is whole: of one made in the midst of a burst the rest comes late.
					if !copied && !slices.IsSorted(got) {
						t.Errorf("key %s: %s is out of order", key, got)
					}
				}
				if l := letters(t, b); len(l) > 0 {
					t.Errorf("dead letters: %+v", l)
				}
			})
		}
	}
}

func rotate(t *testing.T, live string, n int, copied bool) {
	t.Helper()
	for i := n; i >= 1; i-- {
		if err := os.Rename(fmt.Sprintf("%s.%d", live, i), fmt.Sprintf("%s.%d", live, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if !copied {
		if err := os.Rename(live, live+".1"); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(live)
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, live+".1", string(b))
	if err := os.Truncate(live, 0); err != nil {
		t.Fatal(err)
	}
}

// What is no event is kept, with its bytes, its reason and its place.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	live := filepath.Join(dir, "app.log")
	long := strings.Repeat("x", 700<<10)
	good := line("im-1", 1, epoch)
	in := []string{good, `{"torn":`, "bad \xff bytes", `{"level":"info","msg":"foreign"}`, "", "  ", strings.Repeat("y", 70<<10), long, line("im-1", 2, epoch)}
	appendTo(t, live, strings.Join(in, "\n")) // the last line without an end: the file is read whole
	once(t, config(dir, live), b)

	ids, _, marks := shipped(t, b)
	if d := cmp.Diff(map[string]int{"im-1-boot-0000000001": 1, "im-1-boot-0000000002": 1}, ids); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]time.Time{"im-1": epoch}, marks); d != "" {
		t.Error(d)
	}
	var kept, reasons []string
	whole := ""
	for _, l := range letters(t, b) {
		if l.File != live || l.Stage != "shipper" || l.ID == "" || l.Detail == "" {
			t.Errorf("incomplete: %+v", l)
		}
		if l.Encoding == "base64" {
			raw, err := base64.StdEncoding.DecodeString(l.Original)
			if err != nil {
				t.Fatal(err)
			}
			l.Original = string(raw)
		}
		if l.Offset >= int64(strings.Index(strings.Join(in, "\n"), long)) {
			whole += l.Original
			continue
		}
		reasons = append(reasons, l.Reason)
		kept = append(kept, l.Original)
	}
	if d := cmp.Diff([]string{"json", "utf8", "missing", "too_large"}, reasons); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{in[1], in[2], in[3], in[6]}, kept); d != "" {
		t.Error(d)
	}
	if strings.TrimSuffix(whole, "\n") != long {
		t.Errorf("of the long line %d bytes were kept, it has %d", len(whole), len(long))
	}
	once(t, config(dir, live), b)
	if again, _, _ := shipped(t, b); len(again) != 2 || again["im-1-boot-0000000001"] != 1 {
		t.Errorf("a second run shipped again: %v", again)
	}
}

// A record that the broker is too small for becomes a dead letter, in as many pieces as it takes.
func TestBrokerLimit(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	live := filepath.Join(dir, "app.log")
	large := strings.Replace(line("im-1", 2, epoch), `"message":"`, `"message":"`+strings.Repeat("m", 20<<10), 1)
	appendTo(t, live, line("im-1", 1, epoch)+"\n"+large+"\n"+line("im-1", 3, epoch)+"\n")
	once(t, config(dir, live), &narrow{Bus: b, limit: 8 << 10})
	if ids, _, _ := shipped(t, b); len(ids) != 2 {
		t.Errorf("shipped: %v", ids)
	}
	got := ""
	for _, l := range letters(t, b) {
		got += l.Original
		if l.Reason != "broker_limit" || l.File != live {
			t.Errorf("%s of %s", l.Reason, l.File)
		}
	}
	if !strings.HasPrefix(got, large[:len(large)-1]) {
		t.Errorf("the original is not in the letters: %.100s", got)
	}
}

func TestTextSource(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	live := filepath.Join(dir, "access.log")
	cfg := config(dir, live)
	cfg.Sources = []Source{{Paths: []string{live}, Format: "nginx", Service: "edge", Node: "edge-1"}}
	same := `192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] "GET /ws/connect?token=x HTTP/1.1" 502 0 "-" "-"`
	appendTo(t, live, same+"\n"+same+"\nnonsense\n")
	once(t, cfg, b)
	ids, _, marks := shipped(t, b)
	if len(ids) != 2 {
		t.Errorf("two equal lines are %d events", len(ids))
	}
	if d := cmp.Diff(map[string]time.Time{"edge-1": epoch}, marks); d != "" {
		t.Error(d)
	}
	for _, m := range all(t, b, bus.TopicLifecycle) {
		var e event.Event
		if err := event.Decode(m.Value, &e); err != nil {
			t.Fatal(err)
		}
		if !e.IsWatermark() && (e.Text(event.FieldURLPath) != "/ws/connect" || e.Text(event.FieldLogLevel) != "error" || string(m.Key) != "192.0.2.1") {
			t.Errorf("%s %s", m.Key, m.Value)
		}
	}
	if l := letters(t, b); len(l) != 1 || l[0].Reason != "pattern" || l[0].Original != "nonsense" {
		t.Errorf("%+v", l)
	}
	if err := os.RemoveAll(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	once(t, cfg, b)
	if again, _, _ := shipped(t, b); len(again) != 2 {
		t.Errorf("read again from the beginning, the ids are others: %v", again)
	}
}

// However the bus fails, and wherever the shipper is stopped, every line arrives once, in the order of its key.
func TestFailingBusLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		seed, batch := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 50).Draw(rt, "batch")
		rounds := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 60), 1, 5), 1, 4).Draw(rt, "lines, by round and write")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 200), 5, 5).Draw(rt, "pauses, ms")
		n := 0
		var ids map[string]int
		var keys map[string][]string
		synctest.Test(t, func(t *testing.T) {
			dir, b := t.TempDir(), newBus(t)
			f := &flaky{Bus: b, rng: rand.New(rand.NewPCG(seed, 0))}
			live := filepath.Join(dir, "app.log")
			cfg := config(dir, live)
			cfg.Watch, cfg.BatchLines, cfg.ShutdownTimeout = WatchPoll, batch, time.Millisecond
			for _, writes := range rounds {
				stop := start(t, cfg, f)
				for i, lines := range writes {
					for range lines {
						appendTo(t, live, line("im-1", n, epoch.Add(time.Duration(n)*time.Millisecond))+"\n")
						n++
					}
					<-time.After(time.Duration(pauses[i]) * time.Millisecond)
				}
				stop()
			}
			once(t, cfg, f)
			ids, keys, _ = shipped(t, b)
		})
		if len(ids) != n {
			rt.Fatalf("%d lines, %d arrived", n, len(ids))
		}
		for id, times := range ids {
			if times > 1 {
				rt.Errorf("%s arrived %d times", id, times)
			}
		}
		for key, got := range keys {
			if !slices.IsSorted(got) {
				rt.Errorf("key %s: %s is out of order", key, got)
			}
		}
	})
}
