package app

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"testing"

	"imwatch/internal/bus/membus"
)

// The page shows the advice for each group that the process has, and above them the most that one of them wants.
func TestScalePage(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Indexer.Group = "mine"
	s := newSite(cfg, Streams{Out: io.Discard, Err: t.Output()})
	s.bus = membus.New()
	defer s.bus.Close()
	indexers, err := s.watchIndexers()
	if err != nil {
		t.Fatal(err)
	}
	detectors, err := s.watchDetectors()
	if err != nil {
		t.Fatal(err)
	}
	s.advised(indexers, actor{})
	s.advised(detectors, actor{})
	if len(s.pages) != 1 || s.pages[0].pattern != "GET /-/scale" {
		t.Fatalf("pages: %+v", s.pages)
	}
	w := httptest.NewRecorder()
	s.pages[0].handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/-/scale", nil))
	var got struct {
		Wanted int
		Why    string
		Groups []struct{ Group, Topic, Why string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if got.Wanted != 1 || got.Why == "" || len(got.Groups) != 2 || got.Groups[0].Group != "mine" || got.Groups[0].Topic != "im.lifecycle" || got.Groups[1].Why == "" {
		t.Errorf("%s", w.Body)
	}
}
