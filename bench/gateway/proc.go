package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// cpuSeconds is what a process has used so far, in user and in kernel mode; pid 0 is this one.
func cpuSeconds(pid int) (float64, error) {
	name := "/proc/self/stat"
	if pid != 0 {
		name = fmt.Sprintf("/proc/%d/stat", pid)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+2:]))
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("reading %s: %s", name, data)
	}
	return float64(user+system) / 100, nil
}

// busySeconds is what all cores of the machine have worked so far.
func busySeconds() (float64, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	var sum float64
	for i, f := range strings.Fields(line)[1:] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 && i < 8 { // idle, waiting for a disk, and guests that stand in user already
			sum += n
		}
	}
	return sum / 100, nil
}

// usage is what was used between two moments.
type usage struct {
	pid                 int
	at                  time.Time
	server, self, whole float64
}

func (s *server) usage() (u usage, err error) {
	u.pid, u.at = s.pid(), time.Now()
	if u.server, err = cpuSeconds(u.pid); err != nil {
		return u, err
	}
	if u.self, err = cpuSeconds(0); err != nil {
		return u, err
	}
	u.whole, err = busySeconds()
	return u, err
}

// since adds the CPU that server and clients used since u, and what others used beside them, all in cores.
func (s *server) since(u usage, r result) (serverSeconds float64, err error) {
	now, err := s.usage()
	if err != nil {
		return 0, err
	}
	span := now.at.Sub(u.at).Seconds()
	r["seconds"] = round(span, 2)
	r["server_cores"] = round((now.server-u.server)/span, 3)
	r["client_cores"] = round((now.self-u.self)/span, 3)
	r["others_cores"] = round(max(0, now.whole-u.whole-(now.server-u.server)-(now.self-u.self))/span, 2)
	return now.server - u.server, nil
}

// rss is the memory of a process, in KiB.
func (s *server) rss() (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil {
		return 0, err
	}
	_, v, _ := strings.Cut(string(data), "VmRSS:")
	return strconv.ParseFloat(strings.Fields(v)[0], 64)
}

// heap is what the Go runtime of a server says of itself.
type heap struct {
	inuse, stack float64 // KiB
	cycles       int
	pauses       []float64 // of the last 256 cycles, nanoseconds; a ring: cycle n is at (n+255)%256
}

// collect runs the collector of the server and gives what it says afterwards.
func (s *server) collect(ctx context.Context, gc bool) (h heap, err error) {
	query := "heap?debug=1"
	if gc {
		query += "&gc=1"
	}
	page, err := s.get(ctx, s.pprof+query)
	if err != nil {
		return h, err
	}
	for line := range strings.Lines(page) {
		name, v, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if !ok {
			continue
		}
		switch f := strings.Fields(strings.Trim(v, "[]")); name {
		case "# HeapInuse":
			h.inuse, err = kib(f[0])
		case "# Stack":
			h.stack, err = kib(f[0])
		case "# NumGC":
			h.cycles, err = strconv.Atoi(f[0])
		case "# PauseNs":
			for _, p := range f {
				n, err := strconv.ParseFloat(p, 64)
				if err != nil {
					return h, err
				}
				h.pauses = append(h.pauses, n)
			}
		}
		if err != nil {
			return h, err
		}
	}
	return h, nil
}

func kib(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	return n / 1024, err
}

func (s *server) goroutines(ctx context.Context) (int, error) {
	page, err := s.get(ctx, s.pprof+"goroutine?debug=1")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(page, "\n")
	return strconv.Atoi(line[strings.LastIndexByte(line, ' ')+1:])
}

// writeProfile profiles the server while messages flow.
func (s *server) writeProfile(ctx context.Context) error {
	page, err := s.get(ctx, s.pprof+"profile?seconds=3")
	if err != nil {
		return err
	}
	return os.WriteFile(s.profile, []byte(page), 0o600)
}

func (s *server) get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return string(body), err
}

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}
