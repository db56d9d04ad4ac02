package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// actor is one loop of the process.
type actor struct {
	name string
	run  func(context.Context) error
}

// group runs actors until ctx ends or one of them returns; then it ends the others and waits for them. Actors end in
// the reverse order in which they were added: what feeds others is added last and stops first, so that what it has
// taken is still carried on.
type group struct{ actors []actor }

func (g *group) add(name string, run func(context.Context) error) {
	g.actors = append(g.actors, actor{name, run})
}

// run returns the errors of all actors, each under its name; nil when ctx ended and all went well.
func (g *group) run(ctx context.Context) error {
	outer, stop := context.WithCancel(ctx)
	defer stop()
	var (
		mu   sync.Mutex
		errs []error
	)
	ends := make([]context.CancelFunc, len(g.actors))
	done := make([]chan struct{}, len(g.actors))
	for i, a := range g.actors {
		// Not derived from outer: each actor is told to stop in its turn.
		own, end := context.WithCancel(context.WithoutCancel(ctx))
		ends[i], done[i] = end, make(chan struct{})
		go func() {
			defer close(done[i])
			defer stop()
			if err := a.run(own); err != nil && !errors.Is(err, context.Canceled) {
				mu.Lock()
				errs = append(errs, fmt.Errorf("%s: %w", a.name, err))
				mu.Unlock()
			}
		}()
	}
	<-outer.Done()
	for i, end := range slices.Backward(ends) {
		end()
		<-done[i]
	}
	return errors.Join(errs...)
}
