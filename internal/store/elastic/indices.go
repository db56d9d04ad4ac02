package elastic

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"imwatch/internal/store"
)

// Indices names the open indices that match pattern, sorted.
func (s *Store) Indices(ctx context.Context, pattern string) ([]string, error) {
	done := s.metrics.Observe("indices")
	names, err := s.indices(ctx, pattern)
	done(err)
	if err != nil {
		return nil, fmt.Errorf("listing indices %s: %w", pattern, err)
	}
	return names, nil
}

func (s *Store) indices(ctx context.Context, pattern string) ([]string, error) {
	parts := targets(pattern)
	if len(parts) == 0 {
		return nil, ctx.Err()
	}
	var got struct {
		Indices []struct{ Name string }
	}
	req := esapi.IndicesResolveIndexRequest{Name: parts, IgnoreUnavailable: yes()}
	if err := s.client.do(ctx, req, &got); err != nil {
		return nil, err
	}
	var names []string
	for _, i := range got.Indices {
		if store.MatchIndex(pattern, i.Name) { // not what an alias of such a name stands for
			names = append(names, i.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Drop deletes an index.
func (s *Store) Drop(ctx context.Context, index string) error {
	if err := store.CheckIndex(index); err != nil {
		return fmt.Errorf("dropping an index: %w", err)
	}
	done := s.metrics.Observe("drop")
	err := s.client.do(ctx, esapi.IndicesDeleteRequest{Index: []string{index}, IgnoreUnavailable: yes()}, nil)
	if status(err) == http.StatusNotFound {
		err = nil
	}
	done(err)
	if err != nil {
		return fmt.Errorf("dropping index %s: %w", index, err)
	}
	return nil
}

// Refresh makes what was put visible to searches.
func (s *Store) Refresh(ctx context.Context, pattern string) error {
	done := s.metrics.Observe("refresh")
	err := s.refresh(ctx, pattern)
	done(err)
	if err != nil {
		return fmt.Errorf("refreshing %s: %w", pattern, err)
	}
	return nil
}

func (s *Store) refresh(ctx context.Context, pattern string) error {
	parts := targets(pattern)
	if len(parts) == 0 {
		return ctx.Err()
	}
	var got struct {
		Shards shards `json:"_shards"`
	}
	req := esapi.IndicesRefreshRequest{Index: parts, IgnoreUnavailable: yes(), AllowNoIndices: yes()}
	if err := s.client.do(ctx, req, &got); err != nil {
		return err
	}
	return got.Shards.check()
}

func yes() *bool {
	b := true
	return &b
}

// shards says how many parts of the indices have answered.
type shards struct {
	Total, Failed int
	Failures      []struct{ Reason cause }
}

// check makes an error of an answer that is not whole.
func (s shards) check() error {
	if s.Failed == 0 {
		return nil
	}
	why := ""
	if len(s.Failures) > 0 {
		why = ": " + s.Failures[0].Reason.String()
	}
	return fmt.Errorf("%w: %d of %d shards failed%s", store.ErrUnavailable, s.Failed, s.Total, why)
}
