package imserver

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/im-server/cluster"
)

// witness is a cluster that looks at the log when it is told of connections.
type witness struct {
	*cluster.Memory

	t  *testing.T
	mu sync.Mutex
	f  *fixture // nil: it does not look
	// known is what it was told of, and not of its end.
	known map[string]bool
	fail  error // of Renew
	dead  *cluster.Dead
}

func (w *witness) logged(a event.Action, id string) bool {
	ev, _ := w.f.log.find(func(ev *event.Event) bool { return ev.Action() == a.Code && ev.Text(event.FieldConnID) == id })
	return ev != nil
}

func (w *witness) Opened(_ context.Context, open []cluster.Open) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range open {
		w.known[o.ID] = true
		if w.f != nil && !w.logged(event.ActionConnect, o.ID) {
			w.t.Errorf("told of %s before its start was written", o.ID)
		}
	}
	return nil
}

func (w *witness) Closed(_ context.Context, ids []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		delete(w.known, id)
		if w.f != nil && w.logged(event.ActionDisconnect, id) {
			w.t.Errorf("told of the end of %s after that was written", id)
		}
	}
	return nil
}

func (w *witness) Renew(context.Context, time.Duration) (cluster.Lease, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cluster.Lease{Until: time.Now().Add(time.Hour), Buried: w.dead}, w.fail
}

func (w *witness) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.known)
}

func witnessed(t *testing.T, now func() time.Time) (*fixture, *witness) {
	t.Helper()
	w := &witness{t: t, known: map[string]bool{}}
	f := serve(t, testConfig(t), Deps{Now: now, NewCluster: func(o cluster.Options) (cluster.Cluster, error) {
		w.Memory = cluster.NewMemory(o)
		return w, nil
	}})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.f = f
	return f, w
}

func (w *witness) await(n int) {
	w.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(patient); w.count() != n; <-tick.C {
		if time.Now().After(limit) {
			w.t.Fatalf("%d connections are known, want %d", w.count(), n)
		}
	}
}

// TestOthersKnowWhatTheyMayEnd: a connection is known to others only between its start and its end in the log, however
// short it is.
func TestOthersKnowWhatTheyMayEnd(t *testing.T) {
	t.Parallel()
	f, w := witnessed(t, nil)
	var open []*client
	for i := range 40 {
		c := f.dial("u-1")
		if i%2 == 0 {
			open = append(open, c)
			continue
		}
		_ = c.Close()
	}
	w.await(len(open))
	for _, c := range open {
		_ = c.Close()
	}
	w.await(0)
}

// TestEndsWaitAfterAPause: a node that stood still for longer than its lease writes no end before it knows what others
// have written; those that they have not ended it ends itself.
func TestEndsWaitAfterAPause(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ahead time.Duration
	f, w := witnessed(t, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	})
	lost, own := f.dial("u-1"), f.dial("u-2")
	w.await(2)
	w.mu.Lock()
	w.fail = errors.New("it cannot be reached")
	w.mu.Unlock()
	mu.Lock()
	ahead = 15 * time.Second
	mu.Unlock()
	_, _ = lost.Close(), own.Close()
	// Both are on their way out, and stay there.
	for len(f.held.waiting()) < 2 {
		if t.Context().Err() != nil {
			t.Fatal("they are not waiting")
		}
	}
	if n := len(f.log.all(event.ActionDisconnect)); n != 0 {
		t.Errorf("%d ends are written", n)
	}
	until := time.Now().Truncate(time.Millisecond).UTC()
	w.mu.Lock()
	w.fail, w.dead = nil, &cluster.Dead{Node: f.node, Boot: f.boot, Until: until, Open: []cluster.Open{{ID: lost.hello.ConnectionID}}}
	w.mu.Unlock()
	want(t, f.end(own), map[event.FieldID]string{event.FieldCloseReason: "client_gone"})
	ev := f.log.action(t, event.ActionOrphaned)
	want(t, ev, map[event.FieldID]string{event.FieldEventID: "orphaned-" + lost.hello.ConnectionID, event.FieldConnBoot: f.boot})
	w.mu.Lock()
	w.dead = nil
	w.mu.Unlock()
	f.stop()
	if n := len(f.log.all(event.ActionDisconnect)) + len(f.log.all(event.ActionOrphaned)); n != 2 {
		t.Errorf("there are %d ends", n)
	}
}

func (h *held) waiting() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.over
}
