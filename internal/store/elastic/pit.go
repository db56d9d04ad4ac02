package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"imwatch/internal/store"
)

// keepAlive is how long a point in time outlives the last request on it: longer than a reader may think about a page.
const keepAlive = "5m"

// pit is a point in time: the indices as they were when it was opened.
type pit struct {
	client *client
	id     string
}

func (c *client) openPIT(ctx context.Context, indices []string) (*pit, error) {
	var got struct {
		ID     string `json:"id"`
		Shards shards `json:"_shards"`
	}
	req := esapi.OpenPointInTimeRequest{Index: indices, KeepAlive: keepAlive, IgnoreUnavailable: yes()}
	if err := c.do(ctx, req, &got); err != nil {
		return nil, fmt.Errorf("opening a point in time: %w", err)
	}
	return &pit{c, got.ID}, got.Shards.check()
}

// close gives the point in time free, also when the search was cancelled. One that was not is gone after keepAlive.
func (p *pit) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	body, err := json.Marshal(obj{"id": p.id})
	if err == nil {
		_, _ = p.client.raw(ctx, esapi.ClosePointInTimeRequest{Body: bytes.NewReader(body)})
	}
}

// answer is what _search says, as far as we ask.
type answer struct {
	PIT      string `json:"pit_id"`
	TimedOut bool   `json:"timed_out"`
	Shards   shards `json:"_shards"`
	Hits     struct {
		Total struct{ Value int64 }
		Hits  []hit
	}
	Aggregations struct {
		Groups groupsPage
		Weight struct{ Value float64 }
	}
}

type hit struct {
	Index  string            `json:"_index"`
	ID     string            `json:"_id"`
	Source json.RawMessage   `json:"_source"`
	Sort   []json.RawMessage `json:"sort"`
}

// search sends one request on the point in time, and makes an error of an answer that is not whole.
func (p *pit) search(ctx context.Context, body obj) (*answer, error) {
	body["pit"] = obj{"id": p.id, "keep_alive": keepAlive}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	no := false
	var got answer
	if err := p.client.do(ctx, esapi.SearchRequest{Body: bytes.NewReader(text), AllowPartialSearchResults: &no}, &got); err != nil {
		if status(err) == http.StatusNotFound { // the point in time is lost with the node that held it, or with an index
			err = fmt.Errorf("%w: the point in time is gone: %w", store.ErrUnavailable, err)
		}
		return nil, err
	}
	if got.TimedOut {
		return nil, fmt.Errorf("%w: the search timed out", store.ErrUnavailable)
	}
	if got.PIT != "" {
		p.id = got.PIT
	}
	return &got, got.Shards.check()
}

const pageSize = 2000

// pages yields the hits of a query in order of (@timestamp in milliseconds, where they lie), page by page.
func (p *pit) pages(ctx context.Context, query obj) iter.Seq2[[]hit, error] {
	return func(yield func([]hit, error) bool) {
		body := obj{
			"query": query, "size": pageSize, "track_total_hits": false,
			"sort": []obj{{"@timestamp": obj{"order": "asc", "unmapped_type": "date"}}, {"_shard_doc": obj{"order": "asc"}}},
		}
		for {
			got, err := p.search(ctx, body)
			if err != nil {
				yield(nil, err)
				return
			}
			page := got.Hits.Hits
			if len(page) > 0 && !yield(page, nil) || len(page) < pageSize {
				return
			}
			body["search_after"] = page[len(page)-1].Sort
		}
	}
}

// asking opens a point in time for one call. Without indices there is nothing to be asked.
func (s *Store) asking(ctx context.Context, sel selection, do func(*pit) error) error {
	if len(sel.indices) == 0 {
		return ctx.Err()
	}
	p, err := s.client.openPIT(ctx, sel.indices)
	if p != nil {
		defer p.close(ctx)
	}
	if err != nil {
		return err
	}
	return do(p)
}

// errStop ends a search whose reader wants no more.
var errStop = errors.New("the reader has had enough")
