package deliver

import "time"

// Waiting is what is in a queue, for those who watch it.
type Waiting struct {
	Count  int       // of what may go: it is due, or tried again later, or being sent
	Oldest time.Time // when the oldest of it was decided, or its group was due; zero: there is none
	Held   int       // of what the gate holds back, and what comes behind that
	Since  time.Time // when the oldest of it was decided
}

// Look counts what is in the queue. It takes a time in proportion to that.
func (q *Queue) Look() Waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	var w Waiting
	for _, l := range q.alerts {
		count, oldest := &w.Count, &w.Oldest
		if l.held {
			count, oldest = &w.Held, &w.Since
		}
		*count += len(l.refs)
		for i := range l.refs {
			at := l.refs[i].At
			if l.group != nil { // what waits for its group is none too old
				at = later(at, l.group.due(l.refs[i].Wait))
			}
			if oldest.IsZero() || at.Before(*oldest) {
				*oldest = at
			}
		}
	}
	return w
}
