package acceptance

import (
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/internal/store"
	"imwatch/internal/store/sqlite"

	"github.com/sirupsen/logrus"
)

// openEmbedded starts everything in one process, and a second IM server that writes into the same folder of logs.
func openEmbedded(t *testing.T, rules string) *site {
	t.Helper()
	s := newSite(t)
	s.config = settings{Dir: s.dir, Rules: rules}.write(t, s.told)
	s.node(t, node1, "up", "--data", s.dir)
	s.node(t, node2, "im-server")
	up := s.specs[node1]
	pipeline := "127.0.0.1:" + freePorts(t, 1)[0]
	up.env = append(up.env, "IMWATCH_OPS_ADDR="+pipeline)
	s.specs[node1] = up
	second := s.specs[node2]
	second.env = append(second.env, "IMWATCH_IM_SERVER_LOG_PATH="+filepath.Join(s.logs, node2+".log"))
	s.specs[node2] = second
	s.pipeline, s.alerter = pipeline, pipeline
	s.store = inside{filepath.Join(s.dir, "store")}
	s.start(t, node1)
	s.start(t, node2)
	return s
}

// inside is the store of a process that has it for itself: to be read, the process must have stopped.
type inside struct{ dir string }

// settled restarts the process until every line written before the last start is a document. The lines of the last
// stop itself are only taken up by the next start.
func (x inside) settled(t *testing.T, s *site) (docs map[string]record, deadLetters int) {
	t.Helper()
	const rounds = 5
	s.stop(t, node2)
	var behind error
	for range rounds {
		s.stop(t, node1)
		started := time.Now()
		s.start(t, node1)
		waitFor(t, "the new process has indexed something", time.Minute, func(ctx context.Context) error { return s.carriesOn(ctx) })
		s.stop(t, node1)
		docs, deadLetters = x.read(t)
		j := readJournal(t, s.logs)
		if behind = sameDocuments(j.until(started), j.byID, docs); behind == nil {
			return docs, deadLetters
		}
		t.Logf("not all is indexed yet: %v", behind)
	}
	t.Fatalf("after %d restarts: %v", rounds, behind)
	return nil, 0
}

// since says nothing: nobody else can look into the store while the process runs.
func (x inside) since(context.Context, time.Time) error { return nil }

func (x inside) read(t *testing.T) (docs map[string]record, deadLetters int) {
	t.Helper()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	cfg := sqlite.DefaultConfig()
	cfg.Dir = x.dir
	db, err := sqlite.Open(cfg, quiet, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	docs = map[string]record{}
	for hit, err := range db.Search(t.Context(), store.Query{Indices: event.EventIndices}) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := readRecord(hit.Body)
		if err != nil {
			t.Fatalf("document %s: %v", hit.ID, err)
		}
		if _, twice := docs[hit.ID]; twice || hit.ID != r.id {
			t.Errorf("document %s of %s is there twice, or has another event.id: %q", hit.ID, hit.Index, r.id)
		}
		docs[hit.ID] = r
	}
	n, err := db.Count(t.Context(), store.Query{Indices: event.DeadLetterIndices})
	if err != nil {
		t.Fatal(err)
	}
	return docs, int(n)
}
