package window

import "imwatch/detector/rule"

// Sharing says how keys for which there is no room share a sketch, for types whose truth hangs on how many events a
// key has in a window.
type Sharing struct {
	Length int64              // of the window
	Near   float64            // from so many events on a key has to have state of its own
	Holds  func(float64) bool // whether so many make the condition true
}

// Supposable is the condition of a type that has a Sharing.
type Supposable interface {
	Condition
	// Suppose takes in what a sketch says of a key, in order of time, before anything else enters.
	Suppose(at int64, weight float64)
	// Each gives the events inside, in order of time.
	Each(f func(at int64, weight float64))
}

// shareCount gives the sharing of a count, nil where more events do not always bring it nearer to the limit.
func shareCount(length int64, count rule.Comparison) *Sharing {
	if count.Op != rule.Greater && count.Op != rule.GreaterEqual {
		return nil
	}
	return &Sharing{Length: length, Near: count.Limit / 2, Holds: count.Holds}
}

// Suppose takes in what a sketch says.
func (c *threshold) Suppose(at int64, weight float64) { c.push(at, weight) }

// Each gives the events inside.
func (c *threshold) Each(f func(at int64, weight float64)) {
	for i := range int(c.n) {
		w := 1.0
		if c.weights != nil {
			w = c.weights.ring[c.index(i)]
		}
		f(c.at(i), w)
	}
}
