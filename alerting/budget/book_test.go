package budget_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"imwatch/alerting/budget"
	"imwatch/internal/store"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a store of one document.
type shelf struct {
	body    []byte
	version int
}

func (s *shelf) Get(context.Context, string, string) ([]byte, string, error) {
	if s.body == nil {
		return nil, "", store.ErrNotFound
	}
	return s.body, strconv.Itoa(s.version), nil
}

func (s *shelf) Swap(_ context.Context, d store.Doc, version string) (string, error) {
	if s.body != nil && version != strconv.Itoa(s.version) || s.body == nil && version != "" {
		return "", store.ErrConflict
	}
	s.version++
	s.body = d.Body
	return strconv.Itoa(s.version), store.CheckDoc(d)
}

var at = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

func TestBookIsKeptByVersion(t *testing.T) {
	s := &shelf{}
	a, b := budget.NewKeeper(s, "robot", "a", time.Minute), budget.NewKeeper(s, "robot", "b", time.Minute)
	book, version, err := a.Read(t.Context())
	if err != nil || version != "" || len(book.Uses) != 0 {
		t.Fatalf("%+v, %q, %v", book, version, err)
	}
	one := budget.Use{Calls: []budget.Call{{Begun: at, Ended: at.Add(time.Second)}}}
	if err := b.Write(t.Context(), book, version, one, at); err != nil {
		t.Fatal(err)
	}
	if err := a.Write(t.Context(), book, version, one, at); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("written over another one's: %v", err)
	}
	if book, version, err = a.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := budget.Spoken(book.Others("a", at, time.Minute), at, time.Minute); n != 1 {
		t.Errorf("%d calls of others", n)
	}
	if n := budget.Spoken(book.Others("b", at, time.Minute), at, time.Minute); n != 0 {
		t.Errorf("%d calls of others than who made it", n)
	}
	late := at.Add(time.Second + time.Minute + budget.Skew)
	if err := a.Write(t.Context(), book, version, one, late); err != nil {
		t.Fatal(err)
	}
	if book, _, _ = a.Read(t.Context()); len(book.Uses) != 1 {
		t.Errorf("what counts no more is still there: %+v", book.Uses)
	}
}

// TestUnreadableBook must not stop everybody for ever.
func TestUnreadableBook(t *testing.T) {
	s := &shelf{body: []byte(`{"im":{"budget":{"uses":7}}}`), version: 4}
	k := budget.NewKeeper(s, "robot", "a", time.Minute)
	book, version, err := k.Read(t.Context())
	if err != nil || version != "4" || len(book.Uses) != 0 {
		t.Fatalf("%+v, %q, %v", book, version, err)
	}
	if err := k.Write(t.Context(), book, version, budget.Use{}, at); err != nil {
		t.Error(err)
	}
}

func TestShares(t *testing.T) {
	share := func(s int, calls int) budget.Use {
		u := budget.Use{By: "x", Share: s, Until: at.Add(time.Minute)}
		for range calls {
			u.Calls = append(u.Calls, budget.Call{Begun: at, Ended: at})
		}
		return u
	}
	for _, c := range []struct {
		name   string
		calls  int
		others []budget.Use
		want   int
	}{
		{"alone, room for one more", 20, nil, 10},
		{"one that is pressed", 20, []budget.Use{share(6, 2)}, 6},
		{"one that is not", 20, []budget.Use{share(0, 3)}, 10},
		{"others have used most", 20, []budget.Use{share(0, 17)}, 3},
		{"nothing is left", 20, []budget.Use{share(10, 4), share(10, 12)}, 0},
	} {
		if got, until := budget.Share(c.calls, c.others, at, time.Minute); got != c.want || !until.After(at) {
			t.Errorf("%s: %d until %v, want %d", c.name, got, until, c.want)
		}
	}
	if got, _ := budget.Share(20, nil, at, 24*time.Hour); got != 0 {
		t.Errorf("a share of a day: %d", got)
	}
}
