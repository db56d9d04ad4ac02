package elastic

import (
	"os"
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
		return onCluster(t, DefaultConfig())
	})
}

// onCluster opens a store on the Elasticsearch that IMWATCH_TEST_ES names.
func onCluster(tb testing.TB, cfg Config) *Store {
	tb.Helper()
	address := os.Getenv("IMWATCH_TEST_ES")
	if address == "" {
		tb.Skip("IMWATCH_TEST_ES is not set to the address of an Elasticsearch, such as http://127.0.0.1:9200")
	}
	cfg.Addresses, cfg.Replicas = []string{address}, 0
	return open(tb, cfg)
}

func open(tb testing.TB, cfg Config) *Store {
	tb.Helper()
	log, _ := test.NewNullLogger()
	s, err := New(cfg, log, nil)
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
