package scale

import (
	"slices"
	"time"

	"imwatch/internal/bus"
)

// Sample is what is known of a group at one moment.
type Sample struct {
	At      time.Time
	Ends    bus.Position // where each partition ends
	Done    bus.Position // up to where the group has handled it; what it lacks counts as not begun
	Members int
}

// behind is what waits in a partition.
func (s *Sample) behind(p int) int64 { return max(0, s.Ends[p]-s.Done[p]) }

// sums gives what was ever written, what was handled of it, and what waits.
func (s *Sample) sums() (ends, done, lag int64) {
	for p, end := range s.Ends {
		behind := s.behind(p)
		ends, done, lag = ends+end, done+end-behind, lag+behind
	}
	return ends, done, lag
}

// fullest gives the partition in which most waits.
func (s *Sample) fullest() (full int) {
	for p := range len(s.Ends) {
		if s.behind(p) > s.behind(full) {
			full = p
		}
	}
	return full
}

// window is the last samples of a group that has not changed meanwhile, the oldest first.
type window []Sample

// windowSize is from how many samples rates are made.
const windowSize = 5

// add takes a sample in. After a change of members, and where time or offsets went back, it begins anew: what was handled
// while the group shared its partitions out says nothing.
func (w window) add(s Sample) window {
	if n := len(w); n > 0 {
		last := &w[n-1]
		ends, done, _ := last.sums()
		newEnds, newDone, _ := s.sums()
		if last.Members != s.Members || len(last.Ends) != len(s.Ends) || newEnds < ends || newDone < done || !s.At.After(last.At) {
			w = nil
		}
	}
	if len(w) == windowSize {
		w = slices.Delete(w, 0, 1)
	}
	return append(w, s)
}

// rates are what a window says.
type rates struct {
	arriving, handled float64 // messages a second
	lag, least        int64   // now, and the least of the window
	each              float64 // that a member with something to do handles; 0: none has
	waits, flows      float64 // share of the fullest partition in what waits, and in what arrives (where nothing does: in what is handled)
	over              time.Duration
}

func (w window) rates() rates {
	first, last := &w[0], &w[len(w)-1]
	ends0, done0, _ := first.sums()
	ends1, done1, lag := last.sums()
	r := rates{lag: lag, least: lag, over: last.At.Sub(first.At)}
	for i := range w {
		_, _, l := w[i].sums()
		r.least = min(r.least, l)
	}
	if lag > 0 {
		p := last.fullest()
		r.waits = float64(last.behind(p)) / float64(lag)
		in, all := last.Ends[p]-first.Ends[p], ends1-ends0
		if all == 0 {
			in, all = in+first.behind(p)-last.behind(p), done1-done0
		}
		if all > 0 {
			r.flows = float64(in) / float64(all)
		}
	}
	if s := r.over.Seconds(); s > 0 {
		r.arriving, r.handled = float64(ends1-ends0)/s, float64(done1-done0)/s
		r.each = w.each(s)
	}
	return r
}

// each is what a member handles a second that had more to do all the time. Which members have the partitions in which
// something waits is not known: it is supposed to be as many as can be, which makes it too little rather than too much.
func (w window) each(seconds float64) float64 {
	first, last := &w[0], &w[len(w)-1]
	full, handled := 0, 0.0
	for p := range len(last.Ends) {
		in := float64(last.Ends[p] - first.Ends[p])
		out := in + float64(first.behind(p)-last.behind(p))
		if waits := float64(min(first.behind(p), last.behind(p))); waits > 0 && waits > slack.Seconds()*max(in, out)/seconds {
			full, handled = full+1, handled+out
		}
	}
	if members := min(full, last.Members); members > 0 {
		return handled / seconds / float64(members)
	}
	return 0
}

// share is how many members' work n of them do on so many partitions, each as full as the others: the one with the most
// partitions says how fast it goes.
func share(partitions, n int) float64 {
	if partitions == 0 || n == 0 {
		return float64(n)
	}
	return float64(partitions) / float64((partitions+n-1)/n)
}
