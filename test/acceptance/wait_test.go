package acceptance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// pollEvery is how often a condition is looked at.
const pollEvery = 200 * time.Millisecond

// waitFor returns when condition is nil; when limit has passed it ends the test with what the condition said last.
func waitFor(t *testing.T, what string, limit time.Duration, condition func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := errors.New("it was never looked at")
	for {
		err := condition(ctx)
		if err == nil {
			if took := time.Since(began); took > time.Second {
				t.Logf("waited %.1fs until %s", took.Seconds(), what)
			}
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %v in vain until %s: %v", limit, what, last)
		}
	}
}

// freePorts gives ports that nobody listens on. They stay the same through all restarts of a process, so they lie below
// the range (32768 and up on Linux) out of which the kernel takes the near ends of connections: while a process is down,
// a client's connection would take its port. None is given twice: who got it may not listen yet.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	const first, past = 20000, 32000
	var ports []string
	for tries := 0; len(ports) < n; tries++ {
		if tries == 1000 {
			t.Fatal("no port to listen on is free")
		}
		port := strconv.Itoa(first + rand.IntN(past-first))
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+port)
		if err != nil {
			continue // taken
		}
		defer l.Close()
		if _, again := givenPorts.LoadOrStore(port, true); again {
			continue
		}
		ports = append(ports, port)
	}
	return ports
}

// givenPorts are those that freePorts has given.
var givenPorts sync.Map

// get fetches a page; every answer but 200 is an error with its words.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return do(req)
}

func postJSON(ctx context.Context, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return do(req)
}

func do(req *http.Request) ([]byte, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(req.URL.Path + " answers " + strconv.Itoa(resp.StatusCode) + ": " + string(body[:min(len(body), 500)]))
	}
	return body, nil
}
