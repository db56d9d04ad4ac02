package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"imwatch/event"
	"imwatch/internal/store"
)

// Swap writes one document if it is still at version. It is a _bulk of one line and Get a _mget of one document,
// because an id in a path would have to survive every proxy's idea of escaping.
func (s *Store) Swap(ctx context.Context, d store.Doc, version string) (string, error) {
	done := s.metrics.Observe("swap")
	next, err := s.swap(ctx, d, version)
	done(err)
	if err != nil {
		return "", fmt.Errorf("swapping %s/%s: %w", d.Index, d.ID, err)
	}
	return next, nil
}

func (s *Store) swap(ctx context.Context, d store.Doc, version string) (string, error) {
	if err := store.CheckDoc(d); err != nil {
		return "", fmt.Errorf("%w: %w", store.ErrRejected, err)
	}
	var body []byte
	if version == "" {
		body = appendCreate(nil, d)
	} else {
		seqNo, term, err := parseVersion(version)
		if err != nil {
			return "", err
		}
		body = append(body, `{"index":{"_index":`...)
		body = event.AppendString(body, d.Index)
		body = append(body, `,"_id":`...)
		body = event.AppendString(body, d.ID)
		body = fmt.Appendf(body, `,"if_seq_no":%d,"if_primary_term":%d}}`+"\n", seqNo, term)
		body = appendLine(body, d.Body)
	}
	items, err := s.client.items(ctx, body, 1, true)
	if err != nil {
		return "", err
	}
	switch r := items[0].result(); r.Outcome {
	case store.Stored:
		return formatVersion(items[0].SeqNo, items[0].PrimaryTerm), nil
	case store.Existed:
		return "", store.ErrConflict
	case store.Rejected:
		return "", fmt.Errorf("%w: %s", store.ErrRejected, r.Reason)
	default:
		return "", fmt.Errorf("%w: %s", store.ErrUnavailable, r.Reason)
	}
}

func formatVersion(seqNo, term int64) string {
	return strconv.FormatInt(seqNo, 10) + "-" + strconv.FormatInt(term, 10)
}

func parseVersion(v string) (seqNo, term int64, err error) {
	a, b, _ := strings.Cut(v, "-")
	seqNo, errA := strconv.ParseInt(a, 10, 64)
	term, errB := strconv.ParseInt(b, 10, 64)
	if errA != nil || errB != nil {
		return 0, 0, fmt.Errorf("version %q did not come from Get or Swap", v)
	}
	return seqNo, term, nil
}

// Get reads one document at once.
func (s *Store) Get(ctx context.Context, index, id string) (body []byte, version string, err error) {
	done := s.metrics.Observe("get")
	body, version, err = s.get(ctx, index, id)
	done(err)
	if err != nil {
		return nil, "", fmt.Errorf("getting %s/%s: %w", index, id, err)
	}
	return body, version, nil
}

func (s *Store) get(ctx context.Context, index, id string) ([]byte, string, error) {
	if err := store.CheckIndex(index); err != nil {
		return nil, "", fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	ask, err := json.Marshal(map[string]any{"docs": []any{map[string]string{"_index": index, "_id": id}}})
	if err != nil {
		return nil, "", err
	}
	var got struct {
		Docs []struct {
			Found       bool            `json:"found"`
			Source      json.RawMessage `json:"_source"`
			SeqNo       int64           `json:"_seq_no"`
			PrimaryTerm int64           `json:"_primary_term"`
			Error       *cause          `json:"error"`
		}
	}
	if err := s.client.do(ctx, esapi.MgetRequest{Body: bytes.NewReader(ask)}, &got); err != nil {
		return nil, "", err
	}
	if len(got.Docs) != 1 {
		return nil, "", fmt.Errorf("%w: _mget gave %d documents for one", store.ErrUnavailable, len(got.Docs))
	}
	switch d := got.Docs[0]; {
	case d.Found:
		return d.Source, formatVersion(d.SeqNo, d.PrimaryTerm), nil
	case d.Error != nil && d.Error.Type != "index_not_found_exception":
		return nil, "", fmt.Errorf("%w: %s", store.ErrUnavailable, d.Error)
	}
	return nil, "", store.ErrNotFound
}
