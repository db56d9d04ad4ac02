package status

import (
	"encoding/json"
	"net/http"
	"time"
)

// Indexer is what is asked. Safe for concurrent use, and waits for nothing.
type Indexer interface {
	Status() Status
}

// Of asks all.
func Of(all []Indexer, now time.Time) Report {
	r := Report{At: now.UTC(), Healthy: len(all) > 0, Sinks: make([]Status, 0, len(all))}
	for _, x := range all {
		s := x.Status()
		r.Healthy = r.Healthy && s.Healthy
		r.Sinks = append(r.Sinks, s)
	}
	return r
}

// Serve answers GET /-/index: 200 whether they are healthy or not, since the answer says it.
func Serve(all []Indexer, now func() time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		_ = enc.Encode(Of(all, now())) // who asked has gone away
	}
}
