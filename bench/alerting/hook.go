package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// hook is the webhook that both tell: it counts, and answers at once.
type hook struct {
	server *httptest.Server

	mu    sync.Mutex
	calls int
	count int                  // alerts told, those that are only counted too
	told  map[string]time.Time // by address, which each alert has for itself; the first time
	twice map[string]bool
	given map[string]time.Time // when alerts were handed in
	last  time.Time
}

var (
	address = regexp.MustCompile(`\b(?:10|192)\.[0-9]+\.[0-9]+\.[0-9]+\b`)
	counted = regexp.MustCompile(`×([0-9]+)`) // in our digests, which name as many as fit and count the others
)

func newHook() *hook {
	h := &hook{told: map[string]time.Time{}, twice: map[string]bool{}, given: map[string]time.Time{}}
	h.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.calls++
		h.last = at
		here := map[string]bool{}
		for _, id := range address.FindAllString(string(body), -1) {
			if here[id] {
				continue
			}
			here[id] = true
			if _, ok := h.told[id]; ok {
				h.twice[id] = true
				continue
			}
			h.told[id] = at
		}
		n := 0
		for _, m := range counted.FindAllStringSubmatch(string(body), -1) {
			more, _ := strconv.Atoi(m[1]) // digits
			n += more
		}
		h.count += max(n, len(here))
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`) // what a robot answers
	}))
	return h
}

func (h *hook) url() string { return h.server.URL }

func (h *hook) close() { h.server.Close() }

func (h *hook) handed(alerts []alert) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for _, a := range alerts {
		h.given[a.ip] = now
	}
}

// forget begins to count anew.
func (h *hook) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls, h.count = 0, 0
	clear(h.told)
	clear(h.twice)
}

// wait returns when so many alerts have been told. It gives up when nothing has come for the time of limit.
func (h *hook) wait(ctx context.Context, n int, limit time.Duration) error {
	h.mu.Lock()
	h.last = time.Now()
	h.mu.Unlock()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	return h.until(ctx, time.Hour, func() error {
		if time.Since(h.last) > limit {
			stop()
		}
		if h.count < n {
			return fmt.Errorf("%d of %d alerts are told", h.count, n)
		}
		return nil
	})
}

// quiet returns when nothing has come for a while.
func (h *hook) quiet(ctx context.Context) error {
	return h.until(ctx, time.Minute, func() error {
		if time.Since(h.last) < 5*time.Second {
			return errors.New("it does not become quiet")
		}
		return nil
	})
}

func (h *hook) until(ctx context.Context, limit time.Duration, ready func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		h.mu.Lock()
		err := ready()
		h.mu.Unlock()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

type summary struct {
	told, calls int
	p50, p99    float64 // ms
}

// summary gives what came. What should have been held back, or came twice, is an error, and what did not come, if each must be
// named.
func (h *hook) summary(all []alert, named bool) (summary, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := summary{told: h.count, calls: h.calls}
	var took []float64
	for _, a := range all {
		at, ok := h.told[a.ip]
		if ok == a.held && (ok || named) {
			return s, fmt.Errorf("alert %s of %s at %s, %s: told: %v, but held back: %v", a.id, a.rule, a.node, a.ip, ok, a.held)
		}
		if ok {
			took = append(took, float64(at.Sub(h.given[a.ip]).Microseconds())/1000)
		}
	}
	if len(h.twice) > 0 {
		return s, fmt.Errorf("%d alerts were told twice", len(h.twice))
	}
	slices.Sort(took)
	s.p50, s.p99 = took[len(took)/2], took[len(took)*99/100]
	return s, nil
}

// cpuSeconds is what a process has used so far, in user and in kernel mode.
func cpuSeconds(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time: %w", err)
	}
	f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+2:]))
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err := errors.Join(err1, err2); err != nil {
		return 0, fmt.Errorf("reading the CPU time: %w", err)
	}
	return float64(user+system) / 100, nil
}

// peakMiB is the most memory that a process has had.
func peakMiB(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("reading the memory: no VmHWM")
}
