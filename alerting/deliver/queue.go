package deliver

import (
	"container/heap"
	"slices"
	"sync"
	"time"

	"imwatch/alerting/outbox"
)

// Queue holds the names of a receiver's pending notifications. For each alert only the one that is told first can be
// taken, so an alert's states keep their order while one that has to wait holds up no other alert. Safe for
// concurrent use.
type Queue struct {
	mu      sync.Mutex
	alerts  map[string]*line
	heads   headHeap
	known   map[string]struct{} // by id
	changed chan struct{}
}

// line is what is to be told of one alert, in order.
type line struct {
	refs  []outbox.Ref
	taken bool // refs[0] is being sent
	at    int  // place in heads, -1: not there
}

// NewQueue makes an empty queue.
func NewQueue() *Queue {
	return &Queue{alerts: map[string]*line{}, known: map[string]struct{}{}, changed: make(chan struct{}, 1)}
}

// Add puts a notification in, unless it is there.
func (q *Queue) Add(r outbox.Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.known[r.ID]; ok {
		return
	}
	q.known[r.ID] = struct{}{}
	l := q.alerts[r.AlertID]
	if l == nil {
		l = &line{at: -1}
		q.alerts[r.AlertID] = l
	}
	i := 0
	for i < len(l.refs) && (i == 0 && l.taken || !r.Before(l.refs[i])) {
		i++
	}
	l.refs = slices.Insert(l.refs, i, r)
	q.settle(l)
}

// Has says whether anything about an alert is waiting or being sent.
func (q *Queue) Has(alertID string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.alerts[alertID] != nil
}

// Len gives the number of notifications, those being sent included.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.known)
}

// Next takes the notification that is due first. When none is due, wait says when to look again; 0: not before
// Changed. Whatever is taken goes back by Again or out by Drop.
func (q *Queue) Next(now time.Time) (r outbox.Ref, wait time.Duration, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heads) == 0 {
		return outbox.Ref{}, 0, false
	}
	l := q.heads[0]
	if d := l.refs[0].Due.Sub(now); d > 0 {
		return outbox.Ref{}, d, false
	}
	heap.Pop(&q.heads)
	l.taken = true
	return l.refs[0], 0, true
}

// Again puts a taken notification back, due at the given time.
func (q *Queue) Again(r outbox.Ref, due time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.alerts[r.AlertID]
	l.taken = false
	l.refs[0].Due = due
	slices.SortStableFunc(l.refs, func(a, b outbox.Ref) int { // one told earlier may have come in meanwhile
		switch {
		case a.Before(b):
			return -1
		case b.Before(a):
			return 1
		}
		return 0
	})
	q.settle(l)
}

// Drop takes a notification out for good.
func (q *Queue) Drop(r outbox.Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.known, r.ID)
	l := q.alerts[r.AlertID]
	l.taken = false
	l.refs = slices.Delete(l.refs, 0, 1)
	if len(l.refs) == 0 {
		delete(q.alerts, r.AlertID)
		return
	}
	q.settle(l)
}

// Changed gets a value when there may be something new to take. One goroutine listens.
func (q *Queue) Changed() <-chan struct{} { return q.changed }

// settle gives a line its place among the heads. The lock is held.
func (q *Queue) settle(l *line) {
	switch {
	case l.taken:
		return
	case l.at < 0:
		heap.Push(&q.heads, l)
	default:
		heap.Fix(&q.heads, l.at)
	}
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// headHeap orders lines by when their first notification is due, then by when it was decided.
type headHeap []*line

func (h headHeap) Len() int { return len(h) }

func (h headHeap) Less(i, j int) bool {
	a, b := h[i].refs[0], h[j].refs[0]
	if !a.Due.Equal(b.Due) {
		return a.Due.Before(b.Due)
	}
	if !a.At.Equal(b.At) {
		return a.At.Before(b.At)
	}
	return a.ID < b.ID
}

func (h headHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push is heap's.
func (h *headHeap) Push(x any) {
	l := x.(*line)
	l.at = len(*h)
	*h = append(*h, l)
}

// Pop is heap's.
func (h *headHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	l.at = -1
	*h = old[:len(old)-1]
	return l
}
