package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// figures are what a stage took.
type figures struct {
	name  string
	wall  time.Duration
	cpu   time.Duration
	peak  int64 // KiB of resident memory
	bytes int64
}

// measure runs a stage as a process until it ends by itself, or until done says so and it is told to.
func (b *bench) measure(ctx context.Context, name string, done func(context.Context) error, args ...string) (figures, error) {
	cmd := exec.CommandContext(ctx, b.binary, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return figures{}, fmt.Errorf("starting %s: %w", name, err)
	}
	var waited error
	wall := time.Duration(0)
	if done != nil {
		waited = done(ctx)
		wall = time.Since(start)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return figures{}, fmt.Errorf("stopping %s: %w", name, err)
		}
	}
	if err := errors.Join(cmd.Wait(), waited); err != nil {
		return figures{}, fmt.Errorf("running %s: %w", name, err)
	}
	if done == nil {
		wall = time.Since(start)
	}
	f := figures{name: name, wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		f.peak = usage.Maxrss
	}
	return f, nil
}

// print writes the table as Markdown.
func (b *bench) print(w io.Writer, size int64, ship, ix, plain figures) {
	rate := func(f figures) float64 { return float64(b.events) / f.wall.Seconds() }
	fmt.Fprintf(w, "%d events, %.0f bytes each on average, %s\n\n", b.events, float64(size)/float64(b.events), time.Now().UTC().Format(time.DateOnly))
	fmt.Fprintln(w, "| stage | seconds | events/s | CPU s | peak MiB |\n| --- | --- | --- | --- | --- |")
	for _, f := range []figures{ship, ix, plain} {
		fmt.Fprintf(w, "| %s | %.1f | %.0f | %.1f | %.0f |\n", f.name, f.wall.Seconds(), rate(f), f.cpu.Seconds(), float64(f.peak)/1024)
	}
	fmt.Fprintf(w, "\nindex against the plain _bulk loop: %.0f %%\n", 100*rate(ix)/rate(plain))
}
