package sqlite

import (
	"testing"

	"github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"

	"imwatch/internal/store"
	"imwatch/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		return open(t, Config{Dir: t.TempDir(), MaxOpenFiles: 2})
	})
}

// open opens a store for the test's time.
func open(tb testing.TB, cfg Config) *Store {
	tb.Helper()
	log, _ := test.NewNullLogger()
	s, err := Open(cfg, log, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}
