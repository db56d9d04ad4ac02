package elastic

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

func on(name string) filter.Field {
	f, _ := event.FieldByName(name)
	return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}
}

func drain[T any](seq func(func(T, error) bool)) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestRequests pins what goes to the cluster for each call.
func TestRequests(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 30, 0, 1, time.UTC)
	q := store.Query{
		Indices: "im-connection-*,im-alerts-2026.11", From: at, To: at.Add(time.Minute), IngestedFrom: at.Truncate(time.Second),
		Where: filter.Equal{Field: on("user.id"), Value: event.KeywordValue("u")},
	}
	doc := store.Doc{Index: "im-notify-2026.11", ID: `a"b`, Body: []byte("{\n\"a\": 1\n}")}
	for name, call := range map[string]func(*Store) error{
		"put": func(s *Store) error { _, err := s.Put(t.Context(), doc); return err },
		"swap": func(s *Store) error {
			v, err := s.Swap(t.Context(), doc, "")
			if err == nil && v != "4-2" {
				t.Errorf("version %q", v)
			}
			if err == nil {
				_, err = s.Swap(t.Context(), doc, v)
			}
			return err
		},
		"refresh": func(s *Store) error { return s.Refresh(t.Context(), q.Indices) },
		"search":  func(s *Store) error { return drain(s.Search(t.Context(), q)) },
		"count":   func(s *Store) error { _, err := s.Count(t.Context(), q); return err },
		"aggregate": func(s *Store) error {
			return drain(s.Aggregate(t.Context(), q, []filter.Field{on("client.ip"), on("labels.a")}, time.Minute))
		},
		"aggregate-all": func(s *Store) error {
			return drain(s.Aggregate(t.Context(), store.Query{Indices: "im-*"}, nil, 0))
		},
		"indices": func(s *Store) error { _, err := s.Indices(t.Context(), "im-*,gone"); return err },
		"drop":    func(s *Store) error { return s.Drop(t.Context(), "im-alerts-2026.11") },
		"ping":    func(s *Store) error { return s.Ping(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, empty)
			if err := call(open(t, srv.config())); err != nil {
				t.Fatal(err)
			}
			srv.golden(t, name)
		})
	}
}

// TestSetupRequests pins what set-up installs, with and without lifecycle management, and with all that can be set.
func TestSetupRequests(t *testing.T) {
	for _, tt := range []struct {
		name string
		code int
		set  func(*Config)
	}{
		{"setup-ilm", http.StatusOK, nil},
		{"setup-none", http.StatusMethodNotAllowed, nil},
		{"setup-set", http.StatusMethodNotAllowed, func(c *Config) {
			c.Codec, c.RefreshInterval, c.ShardsByClass = CodecBest, 5*time.Second, map[string]int{"info": 9, "error": 1}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mappings := ""
			srv := serve(t, func(method, path, body string) (int, string) {
				if method == http.MethodGet && path == "/_ilm/policy" {
					return tt.code, `{}`
				}
				if path == "/_component_template/imwatch-mappings" {
					mappings = body
				}
				return 200, `{"acknowledged":true}`
			})
			cfg := srv.config()
			cfg.Shards, cfg.Replicas = 3, 2
			if tt.set != nil {
				tt.set(&cfg)
			}
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			if err := open(t, cfg).Setup(t.Context()); err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(obj{"_meta": managed(), "template": obj{"mappings": event.Mapping()}})
			if err != nil || string(want) != mappings {
				t.Errorf("the mappings are not the field table's (%v): %s", err, mappings)
			}
			srv.requests = slices.DeleteFunc(srv.requests, func(r string) bool { return strings.HasPrefix(r, "PUT /_component_template/imwatch-mappings") })
			srv.golden(t, tt.name)
		})
	}
}

// TestNothingIsAsked gives patterns that would mean something else to Elasticsearch than to us.
func TestNothingIsAsked(t *testing.T) {
	for _, pattern := range []string{"", ",", "_all", "-im-connection-*", "<im-{now/d}>", "IM-*", "a/b"} {
		srv := serve(t, empty)
		s := open(t, srv.config())
		q := store.Query{Indices: pattern}
		n, err := s.Count(t.Context(), q)
		if err != nil || n != 0 {
			t.Errorf("%q: Count gave %d, %v", pattern, n, err)
		}
		if err := drain(s.Search(t.Context(), q)); err != nil {
			t.Errorf("%q: Search: %v", pattern, err)
		}
		if names, err := s.Indices(t.Context(), pattern); err != nil || len(names) != 0 {
			t.Errorf("%q: Indices: %q, %v", pattern, names, err)
		}
		if err := s.Refresh(t.Context(), pattern); err != nil {
			t.Errorf("%q: Refresh: %v", pattern, err)
		}
		if len(srv.requests) > 0 {
			t.Errorf("%q: asked %q", pattern, srv.requests)
		}
	}
}
