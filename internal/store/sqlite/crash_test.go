package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"

	"imwatch/event"
	"imwatch/internal/store"
)

// childDir tells this test's binary, started again, to be the process that is killed.
const childDir = "IMWATCH_TEST_SQLITE_CHILD"

// reported is what the killed processes said that the store had answered.
type reported struct {
	batches map[string]bool
	count   int // the last value of the counter
}

// TestKilled kills a process while it puts and swaps. What it had reported is there, and nothing twice.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		putForEver(t, dir)
		return
	}
	dir := t.TempDir()
	r := reported{batches: map[string]bool{}}
	for round := range 3 {
		r.run(t, dir, 50*(round+1))
	}
	s := open(t, Config{Dir: dir, MaxOpenFiles: 4})
	found := map[string]int{}
	for h, err := range s.Search(t.Context(), store.Query{Indices: "im-connection-*"}) {
		if err != nil {
			t.Fatal(err)
		}
		found[h.ID]++
	}
	for batch := range r.batches {
		for i := range batchSize {
			if id := fmt.Sprintf("%s-%d", batch, i); found[id] != 1 {
				t.Errorf("%s was reported and is there %d times", id, found[id])
			}
		}
	}
	count, _, err := counter(t.Context(), s)
	if err != nil || count < r.count || count > r.count+1 {
		t.Errorf("the counter is %d, %v, reported was %d", count, err, r.count)
	}
	t.Logf("%d documents reported, %d there", len(r.batches)*batchSize, len(found))
}

// run starts a process, kills it when it has reported so many batches, and reads what else it had written.
func (r *reported) run(t *testing.T, dir string, batches int) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buf := make([]byte, 4096)
	for strings.Count(text.String(), "batch ") < batches {
		n, err := out.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			t.Fatalf("the child ended by itself: %v\n%s", err, text.String())
		}
	}
	log, _ := test.NewNullLogger()
	if _, err := Open(Config{Dir: dir, MaxOpenFiles: 1}, log, nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opening the directory of a living process: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(&text, out); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	for line := range strings.Lines(text.String()) {
		line, whole := strings.CutSuffix(line, "\n")
		if batch, ok := strings.CutPrefix(line, "batch "); ok && whole {
			r.batches[batch] = true
		}
		if n, ok := strings.CutPrefix(line, "count "); ok && whole {
			if r.count, err = strconv.Atoi(n); err != nil {
				t.Fatal(err)
			}
		}
	}
}

const batchSize = 20

const counterIndex = "im-notify-2026.11"

// counter reads the document that the processes count up by Swap.
func counter(ctx context.Context, s *Store) (int, string, error) {
	body, version, err := s.Get(ctx, counterIndex, "n")
	if errors.Is(err, store.ErrNotFound) {
		return 0, "", nil
	}
	var e event.Event
	if err == nil {
		err = store.DecodeDoc(body, &e)
	}
	n, _ := strconv.Atoi(e.Text(event.FieldMessage))
	return n, version, err
}

// putForEver reports each batch and each count after the store has answered, until it is killed.
func putForEver(t *testing.T, dir string) {
	t.Helper()
	s := open(t, Config{Dir: dir, MaxOpenFiles: 4})
	ctx := context.Background()
	count, version, err := counter(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		batch := fmt.Sprintf("%d-%d", os.Getpid(), n)
		var docs []store.Doc
		for i := range batchSize {
			docs = append(docs, benchDoc(fmt.Sprintf("%s-%d", batch, i), time.Unix(1795000000+int64(n%3)*86400, int64(i))))
		}
		results, err := s.Put(ctx, docs...)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Outcome != store.Stored {
				t.Fatal(r)
			}
		}
		_, _ = fmt.Fprintln(os.Stdout, "batch "+batch)
		count++
		d := store.Doc{Index: counterIndex, ID: "n", Body: fmt.Appendf(nil, `{"message":"%d"}`, count)}
		if version, err = s.Swap(ctx, d, version); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintln(os.Stdout, "count", count)
	}
}
