package storetest

import (
	"slices"
	"testing"

	"imwatch/internal/store"
)

func testIndices(t *testing.T, s *suite) {
	t.Helper()
	ctx := t.Context()
	a, b, c := s.index("2026.11.20"), s.index("2026.11.21"), "im-alerts-"+s.run+"-2026.11"
	s.put(t, docOf(a, eventAt("a", base())), docOf(b, eventAt("b", base())), docOf(c, eventAt("c", base())))
	for pattern, want := range map[string][]string{
		s.all():                         {"a", "b", "c"},
		s.index("*"):                    {"a", "b"},
		s.index("2026.11.2*"):           {"a", "b"},
		s.index("*.21"):                 {"b"},
		"im-*" + s.run + "*11*":         {"a", "b", "c"},
		a:                               {"a"},
		a + "," + c:                     {"a", "c"},
		a + ",im-alerts-" + s.run + "*": {"a", "c"},
		a + "," + s.index("gone"):       {"a"},
		a + "," + a + "," + a + "*":     {"a"},
		s.index("gone"):                 {},
		s.index("gone*"):                {},
		"":                              {},
	} {
		t.Run("pattern "+pattern, func(t *testing.T) {
			s.expect(t, store.Query{Indices: pattern}, want...)
			names, err := s.Indices(ctx, pattern)
			if err != nil || len(names) != len(want) || !slices.IsSorted(names) {
				t.Errorf("Indices gave %q, %v, want %d sorted", names, err, len(want))
			}
			groups := s.groups(t, store.Query{Indices: pattern}, nil, 0)
			if n := groups.total(); n != int64(len(want)) {
				t.Errorf("Aggregate counts %d, want %d", n, len(want))
			}
			if err := s.Refresh(ctx, pattern); err != nil {
				t.Errorf("Refresh: %v", err)
			}
		})
	}
	testDrop(t, s, a, b, c)
	if err := s.Ping(ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if _, err := s.Lifecycle(ctx); err != nil {
		t.Errorf("Lifecycle: %v", err)
	}
}

func testDrop(t *testing.T, s *suite, a, b, c string) {
	t.Helper()
	for range 2 { // a second time it is not there
		if err := s.Drop(t.Context(), a); err != nil {
			t.Errorf("Drop: %v", err)
		}
	}
	s.expect(t, store.Query{Indices: s.all()}, "b", "c")
	if names, err := s.Indices(t.Context(), s.all()); err != nil || !slices.Equal(names, []string{c, b}) {
		t.Errorf("Indices gave %q, %v", names, err)
	}
	s.put(t, docOf(a, eventAt("a", base()))) // as if it had never been there
	s.expect(t, store.Query{Indices: a}, "a")
	if err := s.Drop(t.Context(), s.index("*")); err == nil {
		t.Error("Drop took a pattern, want an error: it is for one index")
	}
	s.expect(t, store.Query{Indices: s.all()}, "a", "b", "c")
}
