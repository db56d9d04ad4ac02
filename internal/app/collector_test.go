package app

import (
	"context"
	"runtime/debug"
	"testing"
)

func TestCollectorPercent(t *testing.T) {
	t.Parallel()
	c := collector{floor: 64 << 20}
	for live, want := range map[uint64]int{
		0: 1000, 1 << 20: 1000, 8 << 20: 700, 16 << 20: 300, 32 << 20: 100, 48 << 20: 100, 64 << 20: 100, 1 << 40: 100,
	} {
		if got := c.percent(live); got != want {
			t.Errorf("of %d bytes alive: %d, want %d", live, got, want)
		}
	}
}

// TestCollectorLeavesWhatIsSet: who has set GOGC or GOMEMLIMIT knows better.
func TestCollectorLeavesWhatIsSet(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, ok := newCollector(1<<20, func(key string) string { return map[string]string{name: "1"}[key] }); ok {
			t.Errorf("with %s set it goes on", name)
		}
	}
	unset := func(string) string { return "" }
	if _, ok := newCollector(0, unset); ok {
		t.Error("without a floor it goes on")
	}
	if _, ok := newCollector(1<<20, unset); !ok {
		t.Error("with a floor it does not go on")
	}
}

func TestCollectorPutsBack(t *testing.T) { //nolint:paralleltest // the percentage is the program's
	before := debug.SetGCPercent(123)
	defer debug.SetGCPercent(before)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := (collector{1 << 20}).run(ctx); err != nil {
		t.Fatal(err)
	}
	if p := debug.SetGCPercent(123); p != 123 {
		t.Errorf("it left %d", p)
	}
}

// The shipper's percentage is put back, and nobody's own is touched.
func TestLean(t *testing.T) {
	before := debug.SetGCPercent(123)
	defer debug.SetGCPercent(before)
	lean(func(string) string { return "" })()
	lean(func(string) string { return "70" })()
	if p := debug.SetGCPercent(123); p != 123 {
		t.Errorf("afterwards it is %d", p)
	}
}
