package main

import (
	"context"
	"fmt"
	"net/http"

	"imwatch/bench/elastic"
)

// server is an Elasticsearch of one's own.
type server struct{ elastic.Server }

// held is what indices have on disk.
type held struct {
	docs, bytes int64 // without the translog
	segments    int64
	by          map[string]int64 // documents by index
}

func (e server) held(ctx context.Context, indices string) (held, error) {
	if err := e.Call(ctx, http.MethodPost, "/"+indices+"/_flush?wait_if_ongoing=true", nil, nil); err != nil {
		return held{}, err
	}
	if err := e.Call(ctx, http.MethodPost, "/"+indices+"/_refresh", nil, nil); err != nil {
		return held{}, err
	}
	type primaries struct {
		Docs     struct{ Count int64 }
		Segments struct{ Count int64 }
		Store    struct {
			Size int64 `json:"size_in_bytes"`
		}
		Translog struct {
			Size int64 `json:"size_in_bytes"`
		}
	}
	var stats struct {
		All     struct{ Primaries primaries } `json:"_all"`
		Indices map[string]struct{ Primaries primaries }
	}
	if err := e.Call(ctx, http.MethodGet, "/"+indices+"/_stats/docs,store,segments,translog", nil, &stats); err != nil {
		return held{}, err
	}
	p := stats.All.Primaries
	h := held{docs: p.Docs.Count, bytes: p.Store.Size - p.Translog.Size, segments: p.Segments.Count, by: map[string]int64{}}
	for name, ix := range stats.Indices {
		h.by[name] = ix.Primaries.Docs.Count
	}
	return h, nil
}

func (e server) merge(ctx context.Context, indices string) error {
	return e.Call(ctx, http.MethodPost, "/"+indices+"/_forcemerge?max_num_segments=1", nil, nil)
}

// again writes an index's documents into a new one with other settings, and merges that.
func (e server) again(ctx context.Context, from, to, settings string) error {
	if err := e.Call(ctx, http.MethodPut, "/"+to, []byte(`{"settings":`+settings+`}`), nil); err != nil {
		return err
	}
	body := fmt.Appendf(nil, `{"source":{"index":%q,"size":5000},"dest":{"index":%q}}`, from, to)
	if err := e.Call(ctx, http.MethodPost, "/_reindex?refresh=true", body, nil); err != nil {
		return err
	}
	return e.merge(ctx, to)
}
