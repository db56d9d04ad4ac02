package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// figures are what a stage took.
type figures struct {
	name   string
	wall   time.Duration
	cpu    time.Duration
	peak   int64         // KiB of resident memory
	server time.Duration // CPU of Elasticsearch meanwhile
}

// measure runs a stage as a process until it ends by itself, or until done says so and it is told to.
func (b *bench) measure(ctx context.Context, name string, done func(context.Context) error, args ...string) (figures, error) {
	cmd := exec.CommandContext(ctx, b.binary, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return figures{}, fmt.Errorf("starting %s: %w", name, err)
	}
	peak := make(chan int64)
	stop := make(chan struct{})
	go func() { peak <- watchPeak(cmd.Process.Pid, stop) }()
	var waited error
	wall := time.Duration(0)
	if done != nil {
		waited = done(ctx)
		wall = time.Since(start)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return figures{}, fmt.Errorf("stopping %s: %w", name, err)
		}
	}
	err := errors.Join(cmd.Wait(), waited)
	close(stop)
	most := <-peak
	if err != nil {
		return figures{}, fmt.Errorf("running %s: %w", name, err)
	}
	if done == nil {
		wall = time.Since(start)
	}
	return figures{name: name, wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak: most}, nil
}

// watchPeak reads a process's greatest resident memory, in KiB, until told to stop. The resource usage that the system
// gives at the end will not do: it counts this process's own memory at the moment of the fork.
func watchPeak(pid int, stop <-chan struct{}) int64 {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var most int64
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

// print writes the table as Markdown.
func (b *bench) print(w io.Writer, size int64, ship figures, index, plain, more []figures) {
	rate := func(f figures) float64 { return float64(b.events) / f.wall.Seconds() }
	fmt.Fprintf(w, "%d events, %.0f bytes each on average, %s\n\n", b.events, float64(size)/float64(b.events), time.Now().UTC().Format(time.DateOnly))
	fmt.Fprintln(w, "| stage | seconds | events/s | CPU s | Elasticsearch's CPU s | peak MiB |\n| --- | --- | --- | --- | --- | --- |")
	row := func(f figures) {
		fmt.Fprintf(w, "| %s | %.1f | %.0f | %.1f | %.1f | %.0f |\n", f.name, f.wall.Seconds(), rate(f), f.cpu.Seconds(), f.server.Seconds(), float64(f.peak)/1024)
	}
	row(ship)
	var ratios []float64
	for i := range index {
		row(index[i])
		row(plain[i])
		ratios = append(ratios, rate(index[i])/rate(plain[i]))
	}
	for _, p := range more {
		row(p)
	}
	slices.Sort(ratios)
	fmt.Fprintf(w, "\nindex against the plain _bulk loop behind it: %.0f %% (median of %d rounds; %.0f to %.0f)\n",
		100*ratios[len(ratios)/2], len(ratios), 100*ratios[0], 100*ratios[len(ratios)-1])
}
