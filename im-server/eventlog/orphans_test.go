package eventlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/event"
)

// TestOrphansAgreeWithTheLog crashes between any two of the writes that a connection's life makes, by cutting the ledger
// and the log where such a crash would, and wants one end for each start in the log.
func TestOrphansAgreeWithTheLog(t *testing.T) {
	t.Parallel()
	ledgerText, logText := pairOfFiles(t)
	for lines := range 1 + strings.Count(logText, "\n") {
		for marks := range 1 + strings.Count(ledgerText, "\n") {
			log, led := firstLines(logText, lines), firstLines(ledgerText, marks)
			if !possible(log, led) {
				continue
			}
			for _, torn := range []bool{false, true} {
				if torn {
					log, led = log+`{"@timestamp":"2026-`, led+`{"open":"c-`
				}
				path := filepath.Join(t.TempDir(), "im-server.log")
				write(t, path, log)
				write(t, beside(path, ".conns"), led)
				startAgain(t, path)
				checkPairs(t, path)
			}
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func firstLines(s string, n int) string {
	return strings.Join(strings.SplitAfter(s, "\n")[:n], "")
}

// possible says whether a crash can leave this log with this ledger: a start is in the ledger before it is in the log, an
// end in the log before it is in the ledger, and a mark is written when all before it is in both.
func possible(log, led string) bool {
	if !strings.Contains(led, "boot") {
		return log == ""
	}
	for _, id := range []string{"c-1", "c-2"} {
		opened, closed := strings.Contains(led, `{"open":"`+id), strings.Contains(led, `{"close":"`+id)
		ended := strings.Count(log, id) == 2
		if strings.Contains(log, id) && !opened || closed && !ended {
			return false
		}
	}
	for seq := range 5 {
		if strings.Contains(led, fmt.Sprintf(`"seq":%d}`, seq)) && strings.Count(log, "\n") < seq {
			return false
		}
	}
	return true
}

// pairOfFiles writes the log and the ledger of a boot in which two connections start and end.
func pairOfFiles(t *testing.T) (ledgerText, logText string) {
	t.Helper()
	dir := t.TempDir()
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	l, err := newLedger(filepath.Join(dir, "x.conns"), "im-test", "b00t", at, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	line := func(seq uint64, a event.Action, id string) {
		var ev event.Event
		ev.Begin(a, at.Add(time.Duration(seq)*time.Second))
		ev.SetText(event.FieldEventID, eventID("im-test-b00t-", seq))
		ev.SetText(event.FieldConnID, id)
		ev.SetText(event.FieldTraceID, "0af7651916cd43dd8448eb211c80319c")
		log.Write(append(ev.AppendJSON(nil), '\n'))
	}
	open := func(seq uint64, id string) {
		if err := l.opened(Record{ID: id, At: at.Add(time.Duration(seq) * time.Second).UnixNano(), Event: eventID("im-test-b00t-", seq), Trace: "0af7651916cd43dd8448eb211c80319c", Span: "b7ad6b7169203331"}); err != nil {
			t.Fatal(err)
		}
		line(seq, event.ActionConnect, id)
	}
	mark := func(seq uint64) {
		if err := l.alive(at.Add(time.Duration(seq)*time.Second), seq, 0); err != nil {
			t.Fatal(err)
		}
	}
	open(1, "c-1")
	mark(1)
	open(2, "c-2")
	line(3, event.ActionDisconnect, "c-1")
	l.closed("c-1")
	mark(3)
	line(4, event.ActionDisconnect, "c-2")
	l.closed("c-2")
	mark(4)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), log.String()
}

// startAgain begins a boot on what the one before left, and ends it in order.
func startAgain(t *testing.T, path string) {
	t.Helper()
	c := DefaultConfig()
	c.Path = path
	l, err := Open(c, testDeps("n3xt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Recover(t.Context(), func(ev *event.Event) { ev.Begin(event.ActionOrphaned, ev.Time()) }, nil); err != nil {
		t.Fatal(err)
	}
	runUntilStopped(t, l)()
}

// checkPairs wants one end for each start in the log.
func checkPairs(t *testing.T, path string) {
	t.Helper()
	starts, ends := map[string]int{}, map[string]int{}
	for _, ev := range readAll(t, path) {
		switch id := ev.Text(event.FieldConnID); ev.Action() {
		case event.ActionConnect.Code:
			starts[id]++
		case event.ActionDisconnect.Code, event.ActionOrphaned.Code:
			ends[id]++
		}
	}
	if diff := cmp.Diff(starts, ends); diff != "" {
		t.Errorf("starts and ends, -want +got\n%s", diff)
	}
}

func TestLinesBackward(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200_000)
	for _, text := range []string{"", "torn", "a\n", "a\nb\ntorn", "\n\n", long + "\nb\n" + long + "\n", strings.Repeat("line\n", 40_000)} {
		path := filepath.Join(t.TempDir(), "log")
		write(t, path, text)
		var got []string
		if _, err := linesBackward(path, func(line []byte) bool { got = append(got, string(line)); return false }); err != nil {
			t.Fatal(err)
		}
		var wanted []string
		lines := strings.Split(text, "\n")
		for i := len(lines) - 2; i >= 0; i-- {
			if lines[i] != "" {
				wanted = append(wanted, lines[i])
			}
		}
		if strings.Join(got, "|") != strings.Join(wanted, "|") {
			t.Errorf("%d bytes: %d lines, want %d", len(text), len(got), len(wanted))
		}
	}
}
