package alerting_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/channel"
	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// fuse kills an alerter at one of its calls to the world outside: from then on nothing that it does has an effect,
// as after SIGKILL. after: the call at which it burns is still carried out, and only its answer is lost.
type fuse struct {
	mu    sync.Mutex
	left  int // calls until it burns; negative: never
	after bool
	calls int
	burnt chan struct{}
	where string
}

func newFuse(calls int, after bool) *fuse {
	return &fuse{left: calls, after: after, burnt: make(chan struct{})}
}

// call says whether a call is carried out and whether its answer arrives.
func (f *fuse) call(where string) (carriedOut, answered bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.burnt:
		return false, false
	default:
	}
	f.calls++
	if f.left != 0 {
		f.left--
		return true, true
	}
	f.where = where
	close(f.burnt)
	return f.after, false
}

// kill burns it now.
func (f *fuse) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.burnt:
	default:
		f.where = "here"
		close(f.burnt)
	}
}

var errDead = fmt.Errorf("%w: the process is dead", store.ErrUnavailable)

// deadStore is a store seen by an alerter with a fuse.
type deadStore struct {
	*memStore
	*fuse
}

func (d deadStore) Put(ctx context.Context, docs ...store.Doc) (r []store.Result, err error) {
	do, ok := d.call("put " + docs[0].Index)
	if do {
		r, err = d.memStore.Put(ctx, docs...)
	}
	if !ok {
		return nil, errDead
	}
	return r, err
}

func (d deadStore) Swap(ctx context.Context, doc store.Doc, version string) (v string, err error) {
	do, ok := d.call("swap " + doc.Index)
	if do {
		v, err = d.memStore.Swap(ctx, doc, version)
	}
	if !ok {
		return "", errDead
	}
	return v, err
}

func (d deadStore) Refresh(ctx context.Context, pattern string) (err error) {
	do, ok := d.call("refresh " + pattern)
	if do {
		err = d.memStore.Refresh(ctx, pattern)
	}
	if !ok {
		return errDead
	}
	return err
}

func (d deadStore) Get(ctx context.Context, index, id string) (body []byte, v string, err error) {
	if _, ok := d.call("get " + index); !ok {
		return nil, "", errDead
	}
	return d.memStore.Get(ctx, index, id)
}

func (d deadStore) Search(ctx context.Context, q store.Query) iter.Seq2[store.Hit, error] {
	if _, ok := d.call("search " + q.Indices); !ok {
		return func(yield func(store.Hit, error) bool) { yield(store.Hit{}, errDead) }
	}
	return d.memStore.Search(ctx, q)
}

// deadBus is a bus seen by an alerter with a fuse. forget makes its commits get lost, so everything comes again.
type deadBus struct {
	bus.Bus
	*fuse
	forget bool
}

func (d deadBus) Consume(ctx context.Context, group string, topics ...string) (bus.Consumer, error) {
	c, err := d.Bus.Consume(ctx, group, topics...)
	return deadConsumer{c, d}, err
}

type deadConsumer struct {
	bus.Consumer
	d deadBus
}

func (c deadConsumer) Fetch(ctx context.Context, n int) ([]bus.Message, error) {
	ms, err := c.Consumer.Fetch(ctx, n)
	if _, ok := c.d.call("fetch"); !ok {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return ms, err
}

func (c deadConsumer) Commit(ctx context.Context, ms ...bus.Message) error {
	do, ok := c.d.call("commit")
	var err error
	if do && !c.d.forget {
		err = c.Consumer.Commit(ctx, ms...)
	}
	if !ok {
		return errDead
	}
	return err
}

// phone is what a receiver has: what it accepted stays with it, whoever dies.
type phone struct {
	mu       sync.Mutex
	accepted []channel.Notification
	at       []time.Time      // when
	answers  []channel.Result // for the next calls; then it accepts
	calls    int
	budget   channel.Budget // in place of the rig's
	down     bool           // the provider asks to come back later
}

func (p *phone) busy(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = yes
}

func newPhone() *phone { return &phone{} }

func (p *phone) all() []channel.Notification {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]channel.Notification(nil), p.accepted...)
}

// line is a phone as an alerter with a fuse reaches it.
type line struct {
	*phone
	*fuse
	budget channel.Budget
}

func (l line) Send(_ context.Context, n channel.Notification) channel.Result {
	do, ok := l.call("send")
	var r channel.Result
	if do {
		r = l.take(n)
	}
	if !ok {
		return channel.NoAnswer("the process is dead")
	}
	return r
}

func (p *phone) take(n channel.Notification) channel.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if p.down {
		return channel.Result{Verdict: channel.Retry, Words: "busy"}
	}
	if len(p.answers) > 0 {
		r := p.answers[0]
		p.answers = p.answers[1:]
		if r.Verdict != channel.Accepted {
			return r
		}
	}
	p.accepted, p.at = append(p.accepted, n), append(p.at, time.Now())
	return channel.Accept("ok")
}

func (l line) Budget() channel.Budget { return l.budget }

func (l line) Close() {}

var _ alerting.Channel = line{}

func (p *phone) attempts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// state gives the number of calls so far and at which one it burnt; "": it did not.
func (f *fuse) state() (calls int, where string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls, f.where
}
