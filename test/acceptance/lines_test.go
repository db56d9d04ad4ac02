package acceptance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/event"
)

// record is what the tests look at in a line of a log, or in a document of the store.
type record struct {
	id, action, node, connection, path string
	status                             int64
	at                                 time.Time
	text                               []byte // the line
}

func readRecord(text []byte) (record, error) {
	var e event.Event
	if err := event.Decode(text, &e); err != nil {
		return record{}, err
	}
	r := record{
		id: e.ID(), action: e.Action(), node: e.Node(), connection: e.Text(event.FieldConnID), path: e.Text(event.FieldURLPath),
		status: e.Int(event.FieldHTTPStatus), at: e.Time(), text: text,
	}
	if r.id == "" {
		return record{}, fmt.Errorf("no event.id")
	}
	return r, nil
}

// journal is all that the log files of a folder say, rotated ones included, in order of time.
type journal struct {
	lines   []record
	byID    map[string]record
	torn    int // lines that are no events: what a crash cut
	doubled []string
	files   int
}

func readJournal(t *testing.T, dir string) journal {
	t.Helper()
	j := journal{byID: map[string]record{}}
	names, err := filepath.Glob(filepath.Join(dir, "*.log*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		j.files++
		j.add(b)
	}
	slices.SortStableFunc(j.lines, func(a, b record) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	return j
}

func (j *journal) add(file []byte) {
	for text := range bytes.Lines(file) {
		text = bytes.TrimRight(text, "\r\n")
		if len(text) == 0 {
			continue
		}
		r, err := readRecord(text)
		if err != nil {
			j.torn++
			continue
		}
		if _, before := j.byID[r.id]; before {
			j.doubled = append(j.doubled, r.id)
		}
		j.byID[r.id] = r
		j.lines = append(j.lines, r)
	}
}

// until gives the journal without the lines from a moment on.
func (j journal) until(at time.Time) map[string]record {
	part := map[string]record{}
	for id, r := range j.byID {
		if r.at.Before(at) {
			part[id] = r
		}
	}
	return part
}

// sameDocuments says what of the lines is no document, and what document was never a line of all.
func sameDocuments(lines, all, docs map[string]record) error {
	var lost, strange []string
	for id, r := range lines {
		if _, ok := docs[id]; !ok {
			lost = append(lost, id+" "+r.action)
		}
	}
	for id, r := range docs {
		if _, ok := all[id]; !ok {
			strange = append(strange, id+" "+r.action)
		}
	}
	if len(lost)+len(strange) == 0 {
		return nil
	}
	slices.Sort(lost)
	slices.Sort(strange)
	return fmt.Errorf("of %d lines %d are no document: %s; of %d documents %d are no line: %s",
		len(lines), len(lost), some(lost), len(docs), len(strange), some(strange))
}

func some(list []string) string {
	const n = 8
	if len(list) > n {
		return strings.Join(list[:n], ", ") + ", …"
	}
	return strings.Join(list, ", ")
}

// oneEnd checks that each connect has exactly one end, and no end is without its connect.
func oneEnd(t *testing.T, docs map[string]record) {
	t.Helper()
	starts, ends := map[string]int{}, map[string][]string{}
	orphans := 0
	for _, r := range docs {
		switch r.action {
		case event.ActionConnect.Code:
			starts[r.connection]++
		case event.ActionOrphaned.Code:
			orphans++
			ends[r.connection] = append(ends[r.connection], r.id)
		case event.ActionDisconnect.Code:
			ends[r.connection] = append(ends[r.connection], r.id)
		}
	}
	var bad []string
	for c, n := range starts {
		if n != 1 || len(ends[c]) != 1 {
			bad = append(bad, fmt.Sprintf("connection %s: %d connects, ends %v", c, n, ends[c]))
		}
	}
	for c, ids := range ends {
		if starts[c] == 0 {
			bad = append(bad, fmt.Sprintf("connection %s: no connect, ends %v", c, ids))
		}
	}
	if len(bad) > 0 {
		slices.Sort(bad)
		t.Errorf("%d of %d connections have not exactly one end: %s", len(bad), len(starts), some(bad))
		return
	}
	t.Logf("%d connections, each with its end, %d of them orphaned", len(starts), orphans)
}
