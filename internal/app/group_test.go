package app

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGroupStopsInReverseOrder(t *testing.T) {
	var order []string
	var g group
	for _, name := range []string{"alerting", "detector", "shipper"} {
		g.add(name, func(ctx context.Context) error {
			<-ctx.Done()
			order = append(order, name) // one after another: the group waits for each
			return nil
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.run(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"shipper", "detector", "alerting"}, order); diff != "" {
		t.Error(diff)
	}
}

func TestGroupEndsWithTheFirst(t *testing.T) {
	broken := errors.New("no disk")
	var g group
	g.add("waits", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	g.add("fails", func(context.Context) error { return broken })
	err := g.run(t.Context())
	if !errors.Is(err, broken) || err.Error() != "fails: no disk" {
		t.Errorf("got %v", err)
	}
}

func TestCleanupsRunBackwardsAndAll(t *testing.T) {
	var order []string
	var c cleanups
	for _, name := range []string{"bus", "store"} {
		c.add(name, func() error { order = append(order, name); return errors.New("x") })
	}
	err := c.run()
	if err == nil || err.Error() != "closing store: x\nclosing bus: x" {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"store", "bus"}, order); diff != "" {
		t.Error(diff)
	}
}
