package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"imwatch/alerting/alertingtest/robot"
)

var triggered = regexp.MustCompile(`trigger-\d+`)

// patience is how long after the last line an alert may still come.
const patience = time.Minute

// answers waits for an alert of every trigger and gives how long each took, in order of size.
func (b *bench) answers(ctx context.Context, w *writer) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	told := map[string]time.Time{}
	_, err := b.robot.Wait(ctx, func(ms []robot.Message) bool {
		for _, m := range ms {
			if user := triggered.FindString(string(m.Body)); user != "" {
				if at, twice := told[user]; !twice || m.At.Before(at) {
					told[user] = m.At
				}
			}
		}
		return len(told) == len(w.triggers)
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for alerts, %d of %d came: %w", len(told), len(w.triggers), err)
	}
	took := make([]time.Duration, 0, len(told))
	for user, at := range told {
		if w.triggers[user].Sub(w.began) < b.warm {
			continue
		}
		took = append(took, at.Sub(w.triggers[user]))
	}
	slices.Sort(took)
	return took, nil
}

func (b *bench) print(out io.Writer, w *writer, took []time.Duration) {
	at := func(p float64) time.Duration { return took[int(p*float64(len(took)-1))] - lateness }
	fmt.Fprintf(out, "%d lines at %d/s, %d of them told; writing fell behind by %v at most\n\n", w.written, w.rate, len(took), w.behind.Round(time.Millisecond))
	fmt.Fprintln(out, "| beyond the lateness of 2 s | ms |\n| --- | --- |")
	for _, p := range []float64{0.5, 0.9, 0.99, 1} {
		fmt.Fprintf(out, "| P%g | %d |\n", p*100, at(p).Milliseconds())
	}
	fmt.Fprintln(out, "\n| role | CPU s |\n| --- | --- |")
}
