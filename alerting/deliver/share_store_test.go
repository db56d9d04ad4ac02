package deliver_test

import (
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"imwatch/alerting/budget"
	"imwatch/alerting/channel"
	"imwatch/alerting/deliver"
	"imwatch/internal/store/elastic"
	"imwatch/internal/store/sqlite"

	"github.com/sirupsen/logrus"
)

// TestSharedPaceOnRealStores has three alerters ask at the same time, over and over, for four minutes of the clock that they are given.
func TestSharedPaceOnRealStores(t *testing.T) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	t.Run("embedded", func(t *testing.T) {
		s, err := sqlite.Open(sqlite.Config{Dir: t.TempDir(), MaxOpenFiles: 4}, log, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }() // of a folder that is deleted
		race(t, s)
	})
	t.Run("Elasticsearch", func(t *testing.T) {
		address := os.Getenv("IMWATCH_TEST_ES")
		if address == "" {
			t.Skip("IMWATCH_TEST_ES is not set to the address of an Elasticsearch, such as http://127.0.0.1:9200")
		}
		cfg := elastic.DefaultConfig()
		cfg.Addresses, cfg.Replicas = []string{address}, 0
		s, err := elastic.New(cfg, log, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }() // nothing is under way
		race(t, s)
	})
}

func race(t *testing.T, s budget.Store) {
	t.Helper()
	const calls, reserve, alerters, minutes = 20, 4, 3, 4
	key := fmt.Sprint("test-", time.Now().UnixNano()) // of its own: a shared Elasticsearch keeps it
	now := time.Unix(1_800_000_000, 0)
	var paces []*deliver.Pace
	for i := range alerters {
		p := deliver.NewPace(channel.Budget{Calls: calls, Per: time.Minute, Reserve: reserve})
		p.Share(budget.NewKeeper(s, key, fmt.Sprint("alerter-", i), time.Minute), 30*time.Second)
		paces = append(paces, p)
	}
	var mu sync.Mutex
	var all []made
	each := make([]int, alerters)
	for range minutes * 60 / 2 {
		now = now.Add(2 * time.Second)
		var wg sync.WaitGroup
		for i, p := range paces {
			wg.Go(func() {
				for urgent := range 2 { // each asks for what can wait, and for what cannot
					turn, wait := p.Take(t.Context(), now, urgent == 1)
					if wait > 0 {
						continue
					}
					turn.End(now.Add(time.Second), true)
					mu.Lock()
					all = append(all, made{now, now.Add(time.Second), urgent == 1})
					each[i]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
	if err := tooMany(all, calls, calls-reserve); err != nil {
		t.Error(err)
	}
	if least := calls * minutes * 3 / 4; len(all) < least {
		t.Errorf("%d calls in %d minutes, expected at least %d: the budget is not used", len(all), minutes, least)
	}
	for i, n := range each {
		if n < len(all)/alerters/3 {
			t.Errorf("alerter %d made %d of %d calls", i, n, len(all))
		}
	}
	t.Logf("%d calls in %d minutes, by alerter: %v", len(all), minutes, each)
}
