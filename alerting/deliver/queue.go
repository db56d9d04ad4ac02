package deliver

import (
	"container/heap"
	"slices"
	"sync"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
)

// Queue holds the names of a receiver's pending notifications. For each alert only the one that is told first can be
// taken, so an alert's states keep their order while one that has to wait holds up no other alert. What is urgent goes
// first, and whatever has to be told before it with it. What belongs to a group waits for its group. Safe for concurrent
// use.
type Queue struct {
	mu      sync.Mutex
	alerts  map[string]*line
	urgent  headHeap
	others  headHeap
	known   map[string]struct{} // by id
	groups  map[string]*cluster
	enough  int // groups at which those are forgotten of which nothing need be known
	changed chan struct{}
}

// line is what is to be told of one alert, in order.
type line struct {
	refs  []outbox.Ref
	taken int       // so many of the first are being sent
	held  bool      // refs[0] is held back by the gate
	grave bool      // something graver came while refs[0] was being sent
	group *cluster  // that of refs[0]; nil: it has none
	heap  *headHeap // where it stands, nil: nowhere
	at    int       // its place there
}

// due is when the first may be told.
func (l *line) due() time.Time {
	r := &l.refs[0]
	if l.group == nil {
		return r.Due
	}
	return later(r.Due, l.group.due(r.Wait))
}

func (l *line) urgent() bool {
	return slices.ContainsFunc(l.refs, func(r outbox.Ref) bool { return r.Urgent })
}

// NewQueue makes an empty queue.
func NewQueue() *Queue {
	return &Queue{alerts: map[string]*line{}, known: map[string]struct{}{}, groups: map[string]*cluster{}, changed: make(chan struct{}, 1)}
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
		l = &line{}
		q.alerts[r.AlertID] = l
	}
	i := 0
	for i < len(l.refs) && (i < l.taken || !r.Before(l.refs[i])) {
		i++
	}
	l.refs = slices.Insert(l.refs, i, r)
	if l.held && (i == 0 || r.Kind == channel.Resolved || r.Rose) { // what is held may be over now, or too grave to be held
		l.held, l.refs[0].Due = false, r.Due
	}
	l.grave = l.grave || r.Rose && l.taken > 0
	q.settle(l)
	q.joined(l, r)
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

// Head gives the notification that is to be taken first, without taking it. When none is due, wait says when to look
// again; 0: not before Changed.
func (q *Queue) Head(now time.Time) (r outbox.Ref, urgent bool, wait time.Duration, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l, wait := q.head(now)
	if l == nil {
		return outbox.Ref{}, false, wait, false
	}
	return l.refs[0], l.heap == &q.urgent, 0, true
}

func (q *Queue) head(now time.Time) (first *line, wait time.Duration) {
	for _, h := range []headHeap{q.urgent, q.others} {
		if len(h) == 0 {
			continue
		}
		d := h[0].due().Sub(now)
		if d <= 0 {
			return h[0], 0
		}
		if wait == 0 || d < wait {
			wait = d
		}
	}
	return nil, wait
}

// Waiting counts the notifications that could be taken now, of the urgent or of all, as far as enough.
func (q *Queue) Waiting(now time.Time, urgent bool, enough int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.urgent.due(now, 0, enough)
	if !urgent {
		n += q.others.due(now, 0, enough-n)
	}
	return n
}

// Take takes up to n notifications of different alerts that are due, the urgent first. Each of them goes back by Again
// or out by Drop.
func (q *Queue) Take(now time.Time, n int) []outbox.Ref {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []outbox.Ref
	for len(out) < n {
		l, _ := q.head(now)
		if l == nil {
			break
		}
		q.take(l, 1)
		out = append(out, l.refs[0])
	}
	return out
}

// take marks the first of a line as being sent.
func (q *Queue) take(l *line, n int) {
	heap.Remove(l.heap, l.at)
	l.taken = n
}

// Again puts a taken notification back, due at the given time.
func (q *Queue) Again(r outbox.Ref, due time.Time) { q.back(r, due, false) }

// Hold puts a taken notification back that the gate holds, due at the given time or when it is released.
func (q *Queue) Hold(r outbox.Ref, due time.Time) { q.back(r, due, true) }

// together is how long what is let go waits for what let it go, where both are told in one group: the end of the alert
// from which it followed.
const together = time.Second

// Release makes all that the gate holds due now: it may let some of it through.
func (q *Queue) Release(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.alerts {
		if !l.held || l.taken > 0 {
			continue
		}
		if l.held, l.refs[0].Due = false, now; l.group != nil {
			l.refs[0].Due = now.Add(together)
		}
		q.settle(l)
	}
}

func (q *Queue) back(r outbox.Ref, due time.Time, held bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.alerts[r.AlertID]
	at := l.find(r.ID)
	if held && (l.grave || slices.ContainsFunc(l.refs, func(o outbox.Ref) bool { return o.Kind == channel.Resolved })) {
		held, due = false, r.Due // it came meanwhile
	}
	l.refs[at].Due = due
	if at == 0 {
		l.held = held
	}
	if l.taken--; l.taken > 0 {
		return
	}
	l.grave = false
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

// Drop takes a taken notification out for good.
func (q *Queue) Drop(r outbox.Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.alerts[r.AlertID]
	l.taken--
	q.out(l, l.find(r.ID))
}

// out takes a notification out of its line.
func (q *Queue) out(l *line, at int) {
	delete(q.known, l.refs[at].ID)
	if at == 0 {
		l.held = false
	}
	if len(l.refs) == 1 {
		if l.heap != nil {
			heap.Remove(l.heap, l.at)
		}
		q.move(l, nil)
		delete(q.alerts, l.refs[0].AlertID)
		return
	}
	l.refs = slices.Delete(l.refs, at, at+1)
	if l.taken == 0 {
		q.settle(l)
	}
}

func (l *line) find(id string) int {
	return slices.IndexFunc(l.refs, func(r outbox.Ref) bool { return r.ID == id })
}

// Changed gets a value when there may be something new to take. One goroutine listens.
func (q *Queue) Changed() <-chan struct{} { return q.changed }

// settle gives a line its place among the heads. The lock is held.
func (q *Queue) settle(l *line) {
	if l.taken > 0 {
		return
	}
	q.move(l, q.cluster(l.refs[0]))
	h := &q.others
	if l.urgent() {
		h = &q.urgent
	}
	if l.heap == h {
		heap.Fix(h, l.at)
	} else {
		if l.heap != nil {
			heap.Remove(l.heap, l.at)
		}
		heap.Push(h, l)
	}
	q.wake()
}

func (q *Queue) wake() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// headHeap orders lines by when their first notification is due, then by when it was decided.
type headHeap []*line

func (h headHeap) Len() int { return len(h) }

func (h headHeap) Less(i, j int) bool {
	if c := h[i].due().Compare(h[j].due()); c != 0 {
		return c < 0
	}
	a, b := &h[i].refs[0], &h[j].refs[0]
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
	l.heap, l.at = h, len(*h)
	*h = append(*h, l)
}

// Pop is heap's.
func (h *headHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	l.heap = nil
	*h = old[:len(old)-1]
	return l
}

// due counts the lines from a place in the heap down that are due, as far as enough. Below one that is not, none is.
func (h headHeap) due(now time.Time, at, enough int) int {
	if enough <= 0 || at >= len(h) || h[at].due().After(now) {
		return 0
	}
	n := 1
	n += h.due(now, 2*at+1, enough-n)
	return n + h.due(now, 2*at+2, enough-n)
}
