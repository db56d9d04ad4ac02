package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Options say how a document is kept. The zero Options is usable.
type Options struct {
	Every   time.Duration    // how often it is looked at; 0: 5 s for a file, 5 min for a URL
	Floor   time.Duration    // least time between two fetches of a URL, whatever asks for them; 0: 10 s
	Timeout time.Duration    // of one fetch; 0: 5 s
	Header  http.Header      // sent with each fetch of a URL; may be nil
	Client  *http.Client     // nil: one that follows no redirects
	Now     func() time.Time // nil: time.Now
	Done    func(Outcome)    // told of each look; may be nil. Called by one goroutine at a time
}

// Outcome is what one look at a document came to.
type Outcome struct {
	Ref     string
	Changed bool
	Err     error // nil: it could be read, and is good
	Was     bool  // the look before succeeded, or there was none
}

// Result names the outcome for a metric: changed, unchanged, failed.
func (o Outcome) Result() string {
	switch {
	case o.Err != nil:
		return "failed"
	case o.Changed:
		return "changed"
	}
	return "unchanged"
}

// errNever says that there is no version.
var errNever = errors.New("it could not be read yet")

// Kept is a document as it is now. Safe for concurrent use.
type Kept[T any] struct {
	ref   string
	parse func([]byte) (T, error)
	o     Options
	url   bool
	value atomic.Pointer[T]
	good  atomic.Int64 // when the last look succeeded, unix nanoseconds

	look chan struct{} // holds a token while nobody looks; guards the fields below
	from fetcher
	next time.Time // when it is due again
	last time.Time // of the last look
	bad  bool      // the last look failed
	err  error
}

// Keep makes a Kept of a path or URL, which has no version until Refresh or Run has read one. parse makes what is kept
// of a document; its error keeps the version before.
func Keep[T any](ref string, parse func([]byte) (T, error), o Options) *Kept[T] {
	k := &Kept[T]{ref: ref, parse: parse, o: o, url: IsURL(ref), look: make(chan struct{}, 1)}
	k.setDefaults()
	k.from = &file{path: ref}
	if k.url {
		k.from = &page{url: ref, client: k.o.Client, header: k.o.Header}
	}
	k.look <- struct{}{}
	return k
}

func (k *Kept[T]) setDefaults() {
	def := func(d *time.Duration, file, url time.Duration) {
		if *d <= 0 {
			*d = file
			if k.url {
				*d = url
			}
		}
	}
	def(&k.o.Every, 5*time.Second, 5*time.Minute)
	def(&k.o.Floor, 0, 10*time.Second)
	def(&k.o.Timeout, 5*time.Second, 5*time.Second)
	if k.o.Now == nil {
		k.o.Now = time.Now
	}
	if k.o.Client == nil {
		k.o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
}

// Ref gives the path or URL.
func (k *Kept[T]) Ref() string { return k.ref }

// Get gives the version that counts, and false while there has been none.
func (k *Kept[T]) Get() (T, bool) {
	if v := k.value.Load(); v != nil {
		return *v, true
	}
	var none T
	return none, false
}

// Age is how long ago the document was known to be as it is kept; false while there has been none.
func (k *Kept[T]) Age() (time.Duration, bool) {
	at := k.good.Load()
	return k.o.Now().Sub(time.Unix(0, at)), at != 0
}

// Refresh looks at the document unless that was done less than the floor ago, and gives the error of the last look.
// Callers at the same time share one look, and wait for it no longer than the time-out of one fetch or their ctx.
func (k *Kept[T]) Refresh(ctx context.Context) error {
	select {
	case <-k.look:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", k.ref, ctx.Err())
	}
	defer func() { k.look <- struct{}{} }()
	if !k.last.IsZero() && k.o.Now().Sub(k.last) < k.o.Floor {
		return k.err
	}
	// Who asked may go away; who asks next would pay for it.
	k.lookNow(context.WithoutCancel(ctx))
	return k.err
}

// lookNow reads the document. The token of look is held.
func (k *Kept[T]) lookNow(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, k.o.Timeout)
	defer cancel()
	k.last = k.o.Now()
	f, err := k.from.fetch(ctx)
	if err == nil && f.changed {
		var v T
		if v, err = k.parse(f.body); err == nil {
			k.value.Store(&v)
			k.from.taken()
		}
	}
	if err == nil && k.value.Load() == nil {
		err = errNever
	}
	out := Outcome{Ref: k.ref, Changed: err == nil && f.changed, Was: !k.bad}
	k.bad, k.err = err != nil, nil
	if err != nil {
		k.err = fmt.Errorf("%s: %w", k.ref, err)
		k.next = k.last.Add(max(k.o.Floor, min(k.o.Every, 30*time.Second)))
	} else {
		k.good.Store(k.last.UnixNano())
		k.next = k.last.Add(k.wait(f.fresh))
	}
	out.Err = k.err
	if k.o.Done != nil {
		k.o.Done(out)
	}
}

// wait is when a good version is due again: as often as is asked for here, later if its server says that it keeps, but
// not for ever.
func (k *Kept[T]) wait(fresh time.Duration) time.Duration {
	const most = 24 * time.Hour
	return max(k.o.Floor, k.o.Every, min(fresh, most))
}

// Run keeps the document up to date until ctx ends.
func (k *Kept[T]) Run(ctx context.Context) {
	for {
		select {
		case <-k.look:
		case <-ctx.Done():
			return
		}
		now := k.o.Now()
		if !k.next.After(now) {
			k.lookNow(ctx)
			now = k.o.Now()
		}
		wait := max(k.next.Sub(now), time.Millisecond)
		k.look <- struct{}{}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}
