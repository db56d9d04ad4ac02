package engine_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/detector/engine"
	"imwatch/event"
)

// TestReloadChangesNothing loads the rules anew at any event: those that decide the same give the same lines, byte for
// byte, whatever comes and goes beside them, and where nothing does, the whole state is the same.
func TestReloadChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		source := drawRule(t, "a") + "---" + drawRule(t, "b")
		other := drawRule(t, "other")
		calm, err := engine.New(parse(t, source), engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		shaken, err := engine.New(parse(t, source), engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		alone := true
		var want, got []*event.Alert
		for _, ev := range arrive(t, drawEvents(t, 2), 0) {
			calm.Observe(0, ev, 0)
			shaken.Observe(0, ev, 0)
			if rapid.IntRange(0, 3).Draw(t, "batch ends") == 0 {
				want, got = append(want, calm.Advance()...), append(got, shaken.Advance()...)
			}
			switch rapid.IntRange(0, 9).Draw(t, "reload") {
			case 0, 1, 2: // the file was touched
				err = shaken.SetRules(parse(t, source))
			case 3: // another rule has come
				alone = false
				err = shaken.SetRules(parse(t, other+"---"+source))
			case 4: // or gone
				err = shaken.SetRules(parse(t, source))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		want, got = append(want, calm.Advance()...), append(got, shaken.Advance()...)
		if a, b := calm.Snapshot(), shaken.Snapshot(); alone && !bytes.Equal(a, b) {
			t.Fatalf("the state differs after a reload of the same rules: %d and %d bytes", len(a), len(b))
		}
		end := base.Add(5 * time.Minute).UnixNano()
		want, got = append(want, calm.Finish(end)...), append(got, shaken.Finish(end)...)
		mine := func(as []*event.Alert) string {
			as = slices.DeleteFunc(as, func(a *event.Alert) bool { return a.RuleID == "other" || a.RuleID == engine.SourceLate })
			slices.SortStableFunc(as, engine.Order)
			return lines(t, as)
		}
		if diff := cmp.Diff(mine(want), mine(got)); diff != "" {
			t.Fatalf("without (-) and with reloads (+) differ:\n%s\n%s", diff, source)
		}
	})
}
