package imserver

import (
	"sync"
	"time"
)

// foldEvery is the time in which refusals of one client for one reason become one line.
const foldEvery = 10 * time.Second

// foldKey is what refusals have in common that become one line.
type foldKey struct {
	ip, reason string
}

// folder keeps an attack from writing its own flood of lines. The first refusal of a client and reason is written at
// once; those of the next foldEvery are counted, and written as one line with their number as its weight. Safe for
// concurrent use.
type folder struct {
	write func(r refused, weight int64, at time.Time)

	mu   sync.Mutex
	open map[foldKey]*fold
}

type fold struct {
	last  refused // an example for the line
	count int64
	until time.Time
}

// maxFolds bounds the folder's memory; refusals of further clients are folded by reason alone.
const maxFolds = 20_000

func newFolder(write func(refused, int64, time.Time)) *folder {
	return &folder{write: write, open: map[foldKey]*fold{}}
}

// add takes one refusal.
func (f *folder) add(r refused, now time.Time) {
	key := foldKey{r.client.ip, r.reason.Reason}
	f.mu.Lock()
	if f.open[key] == nil && len(f.open) >= maxFolds {
		key.ip, r.client.ip, r.client.port = "", "", 0
	}
	o := f.open[key]
	if o == nil {
		f.open[key] = &fold{until: now.Add(foldEvery)}
		f.mu.Unlock()
		f.write(r, 1, now)
		return
	}
	o.last = r
	o.count++
	f.mu.Unlock()
}

// flush writes what is due, or, at the end, all there is.
func (f *folder) flush(now time.Time, all bool) {
	f.mu.Lock()
	var due []fold
	for key, o := range f.open {
		if !all && now.Before(o.until) {
			continue
		}
		if o.count == 0 {
			delete(f.open, key)
			continue
		}
		due = append(due, *o)
		o.count, o.until = 0, now.Add(foldEvery)
	}
	f.mu.Unlock()
	for _, o := range due {
		f.write(o.last, o.count, now)
	}
}
