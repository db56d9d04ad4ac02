// Package lag says how far behind something is that follows a growing sequence: a reader of a partition, of a log file.
//
// It takes positions and the time; the clock enters where it is used. Nothing in it is safe for concurrent use.
package lag

import (
	"slices"
	"time"
)

// Frontier knows up to when all that was written has been done with, from samples of where the sequence ended at which
// time. While what follows stands still the samples go on, so that the age of what it has not done grows with the clock,
// and is right to the distance of two samples. The zero value knows nothing yet.
type Frontier struct {
	done    int64
	until   time.Time // everything written before it is done with
	samples []sample  // behind done, both rising
	gap     time.Duration
}

// sample says that all that was written before at stands before end.
type sample struct {
	end int64
	at  time.Time
}

// maxSamples bounds the memory of what stands still for days: past it samples are taken at twice the distance, and the
// age is right to that.
const maxSamples = 256

// Saw takes in that all that was written before at stands before end. Samples may come in any order; one that
// contradicts others, as clocks that were set do, is left out.
func (f *Frontier) Saw(end int64, at time.Time) {
	if end <= f.done {
		if at.After(f.until) {
			f.until = at
		}
		return
	}
	if !at.After(f.until) {
		return
	}
	i, found := slices.BinarySearchFunc(f.samples, end, func(s sample, end int64) int { return int(min(max(s.end-end, -1), 1)) })
	switch {
	case found:
		if later := i+1 == len(f.samples) || f.samples[i+1].at.After(at); at.After(f.samples[i].at) && later {
			f.samples[i].at = at
		}
		return
	case i > 0 && !at.After(f.samples[i-1].at), i < len(f.samples) && !f.samples[i].at.After(at):
		return
	}
	n := len(f.samples)
	if i == n && n > 1 && at.Sub(f.samples[n-2].at) < f.gap {
		f.samples[n-1] = sample{end, at}
		return
	}
	f.samples = slices.Insert(f.samples, i, sample{end, at})
	if len(f.samples) > maxSamples {
		f.thin()
	}
}

// thin makes room by having samples at twice the distance, old and new ones alike.
func (f *Frontier) thin() {
	n := len(f.samples)
	f.gap = 2 * max(f.gap, f.samples[n-1].at.Sub(f.samples[0].at)/maxSamples)
	kept := f.samples[:1]
	for _, s := range f.samples[1 : n-1] {
		if s.at.Sub(kept[len(kept)-1].at) >= f.gap {
			kept = append(kept, s)
		}
	}
	f.samples = append(kept, f.samples[n-1])
	if len(f.samples) > maxSamples { // of one that jumps
		f.samples = f.samples[len(f.samples)-maxSamples:]
	}
}

// Done takes in that everything before position is done with. It never goes back.
func (f *Frontier) Done(position int64) {
	if position <= f.done {
		return
	}
	f.done = position
	n := 0
	for n < len(f.samples) && f.samples[n].end <= position {
		n++
	}
	if n > 0 && f.samples[n-1].at.After(f.until) {
		f.until = f.samples[n-1].at
	}
	f.samples = slices.Delete(f.samples, 0, n)
	if len(f.samples) == 0 {
		f.gap = 0
	}
}

// Position is where everything before is done with.
func (f *Frontier) Position() int64 { return f.done }

// Until is the time up to which everything that was written is done with; zero: not known.
func (f *Frontier) Until() time.Time { return f.until }

// Age is how long the oldest of what is not done may have waited, end being where the sequence ends as far as is known.
// It is 0 at the end, unless that was seen longer than patience ago: then nobody knows, and the age counts from when it
// was seen last.
func (f *Frontier) Age(end int64, now time.Time, patience time.Duration) time.Duration {
	age := now.Sub(f.until)
	if f.until.IsZero() || age < 0 || end <= f.done && age <= patience {
		return 0
	}
	return age
}
