package budget

import (
	"slices"
	"time"
)

// Skew is by how much the clocks of alerters may differ: calls of others count for so much longer.
const Skew = time.Second

// shareFor is how long a share may be used after it was written down.
const shareFor = 2 * time.Minute

// longest is the longest stretch for which there are shares: a day's share of an alerter that is gone would be lost for a day.
const longest = 10 * time.Minute

// Call is one call, or leave to make one.
type Call struct {
	Begun time.Time `json:"begun"`
	Ended time.Time `json:"ended"` // of one under way: when it has ended at the latest
}

// Use is what one alerter has of a budget.
type Use struct {
	By    string    `json:"by"`
	Calls []Call    `json:"calls,omitempty"`
	Share int       `json:"share,omitempty"` // of the calls in any stretch, so many are its own
	Until time.Time `json:"until,omitzero"`  // it makes none by its share that would end later
	// Blocked is until when the provider asked it to make no call; zero: it did not.
	Blocked time.Time `json:"blocked,omitzero"`
}

// Book is the state of one budget: a use for each alerter.
type Book struct{ Uses []Use }

// live gives how many calls count at now in a stretch of per, and how many more of its share it may make.
func (u Use) live(now time.Time, per time.Duration) (calls, more int) {
	for _, c := range u.Calls {
		if now.Sub(c.Ended) < per+Skew {
			calls++
		}
	}
	if now.Sub(u.Until) < per+Skew { // the last call by the share counts as long as it could have ended at Until
		more = max(0, u.Share-calls)
	}
	return calls, more
}

// Others gives the uses of all but one alerter that still count.
func (b Book) Others(by string, now time.Time, per time.Duration) []Use {
	var out []Use
	for _, u := range b.Uses {
		if calls, more := u.live(now, per); u.By != by && (calls+more > 0 || u.Blocked.After(now)) {
			out = append(out, u)
		}
	}
	return out
}

// Spoken gives how many calls of a stretch of per others have made or may make without asking.
func Spoken(others []Use, now time.Time, per time.Duration) int {
	n := 0
	for _, u := range others {
		calls, more := u.live(now, per)
		n += calls + more
	}
	return n
}

// Share gives the calls of a budget that an alerter who is pressed can have for its own: as many as each has when those
// who are pressed, it and one that may come share equally, as far as others leave room.
func Share(calls int, others []Use, now time.Time, per time.Duration) (share int, until time.Time) {
	if per > longest {
		return 0, time.Time{}
	}
	pressed := 0
	for _, u := range others {
		if u.Share > 0 && now.Sub(u.Until) < per+Skew {
			pressed++
		}
	}
	return max(0, min(calls/(pressed+2), calls-Spoken(others, now, per))), now.Add(shareFor)
}

// with gives the book with an alerter's use in place of the one that it had; what counts no more is left out.
func (b Book) with(u Use, now time.Time, per time.Duration) Book {
	return Book{append(b.Others(u.By, now, per), u)}
}

// Leaves gives when the calls of others stop to count, the earliest first.
func Leaves(others []Use, per time.Duration) []time.Time {
	var out []time.Time
	for _, u := range others {
		for _, c := range u.Calls {
			out = append(out, c.Ended.Add(per+Skew))
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}
