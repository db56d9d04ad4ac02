package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// used is what a process took.
type used struct {
	wall, cpu time.Duration
	peak      int64 // KiB of resident memory
}

// runStage runs the program until it ends by itself, or until done says so and it is told to.
func runStage(ctx context.Context, binary string, done func(context.Context) error, args ...string) (used, error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return used{}, fmt.Errorf("starting %s: %w", args[0], err)
	}
	stop, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- watchPeak(cmd.Process.Pid, stop) }()
	var waited error
	if done != nil {
		waited = done(ctx)
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	err := cmd.Wait()
	close(stop)
	u := used{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak: <-peak}
	switch {
	case err != nil:
		return u, fmt.Errorf("running %s: %w", args[0], err)
	case waited != nil:
		return u, fmt.Errorf("running %s: %w", args[0], waited)
	}
	return u, nil
}

// watchPeak reads a process's greatest resident memory, in KiB, until told to stop.
func watchPeak(pid int, stop <-chan struct{}) (most int64) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
			if _, rest, ok := strings.Cut(string(b), "VmHWM:"); ok {
				if kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
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

// cpuOf is the processor time of a running process so far.
func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("asking for a process's time: %w", err)
	}
	const hertz = 100                                                             // USER_HZ of Linux
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:])) // the name may have blanks
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("asking for a process's time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / hertz, nil
}

// sizeOf sums the files that a pattern matches.
func sizeOf(pattern string) (sum int64, err error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return 0, fmt.Errorf("looking for %s: %w", pattern, err)
	}
	for _, name := range names {
		st, err := os.Stat(name)
		if err != nil {
			return 0, fmt.Errorf("asking for a file's size: %w", err)
		}
		sum += st.Size()
	}
	if sum == 0 {
		return 0, fmt.Errorf("no bytes in %s", pattern)
	}
	return sum, nil
}
