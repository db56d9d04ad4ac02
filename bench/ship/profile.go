package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// watchPeak reads a process's greatest resident memory, in KiB, until told to stop. The resource usage that the system
// gives at the end will not do: it counts this process's own memory at the moment of the fork.
func watchPeak(pid int, stop <-chan struct{}) (most int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
			if _, rest, ok := strings.Cut(string(b), "VmHWM:"); ok {
				var kib int64
				if _, err := fmt.Sscan(rest, &kib); err == nil {
					most = max(most, kib)
				}
			}
		}
		select {
		case <-tick.C:
		case <-stop:
			return most
		}
	}
}

// profiles takes profiles of the shipper while it runs. What cannot be taken is told and changes no figure.
func (b *bench) profiles(ctx context.Context) {
	var wg sync.WaitGroup
	for name, path := range map[string]string{"cpu": "profile?seconds=3", "heap": "heap", "allocs": "allocs?seconds=3", "trace": "trace?seconds=1", "block": "block?seconds=3", "mutex": "mutex?seconds=3"} {
		wg.Go(func() {
			if err := b.take(ctx, name, path); err != nil {
				fmt.Fprintln(os.Stderr, "profile:", err)
			}
		})
	}
	wg.Wait()
}

func (b *bench) take(ctx context.Context, name, path string) error {
	wait := time.NewTimer(time.Second) // until it is at full speed
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+opsAddr+"/debug/pprof/"+path, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	f, err := os.Create(filepath.Join(b.profile, name+".pprof"))
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, res.Body); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
