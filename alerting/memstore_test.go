package alerting_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// memStore is the part of the store that alerting uses, in memory, for fake time. As with Elasticsearch, a search sees
// what was written before the last Refresh.
type memStore struct {
	mu      sync.Mutex
	docs    map[[2]string]memDoc
	visible map[[2]string]memDoc
	version int
	old     bool // its indices do not know the field by which groups are found
}

type memDoc struct {
	body    []byte
	version string
}

func newMemStore() *memStore {
	return &memStore{docs: map[[2]string]memDoc{}, visible: map[[2]string]memDoc{}}
}

func (m *memStore) set(d store.Doc) string {
	m.version++
	v := strconv.Itoa(m.version)
	m.docs[[2]string{d.Index, d.ID}] = memDoc{slices.Clone(d.Body), v}
	return v
}

func (m *memStore) Put(_ context.Context, docs ...store.Doc) ([]store.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	results := make([]store.Result, len(docs))
	for i, d := range docs {
		if err := store.CheckDoc(d); err != nil {
			results[i] = store.Result{Outcome: store.Rejected, Reason: err.Error()}
		} else if _, ok := m.docs[[2]string{d.Index, d.ID}]; ok {
			results[i].Outcome = store.Existed
		} else {
			m.set(d)
		}
	}
	return results, nil
}

func (m *memStore) Swap(_ context.Context, d store.Doc, version string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := store.CheckDoc(d); err != nil {
		return "", store.ErrRejected
	}
	if m.docs[[2]string{d.Index, d.ID}].version != version {
		return "", store.ErrConflict
	}
	return m.set(d), nil
}

func (m *memStore) Refresh(_ context.Context, pattern string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, d := range m.docs {
		if store.MatchIndex(pattern, k[0]) {
			m.visible[k] = d
		}
	}
	return nil
}

func (m *memStore) Get(_ context.Context, index, id string) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.docs[[2]string{index, id}]
	if !ok {
		return nil, "", store.ErrNotFound
	}
	return slices.Clone(d.body), d.version, nil
}

func (m *memStore) Search(_ context.Context, q store.Query) iter.Seq2[store.Hit, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	type found struct {
		at  int64
		hit store.Hit
	}
	var hits []found
	match := filter.Compile(q.Where)
	if m.old && strings.Contains(fmt.Sprint(q.Where), "im.notify.group") {
		match = func(*event.Event) bool { return false }
	}
	for k, d := range m.visible {
		var e event.Event
		if !store.MatchIndex(q.Indices, k[0]) || event.Decode(d.body, &e) != nil || !match(&e) {
			continue
		}
		hits = append(hits, found{e.Time().UnixNano(), store.Hit{Index: k[0], ID: k[1], Body: slices.Clone(d.body)}})
	}
	slices.SortFunc(hits, func(a, b found) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return strings.Compare(a.hit.ID, b.hit.ID)
	})
	return func(yield func(store.Hit, error) bool) {
		for _, h := range hits {
			if !yield(h.hit, nil) {
				return
			}
		}
	}
}

// all gives the documents of the indices that match pattern.
func (m *memStore) all(pattern string) map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string][]byte{}
	for k, d := range m.docs {
		if store.MatchIndex(pattern, k[0]) {
			out[k[1]] = slices.Clone(d.body)
		}
	}
	return out
}
