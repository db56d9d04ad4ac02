package alerting_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/desk"
	"imwatch/alerting/inhibit"
	"imwatch/alerting/outbox"
	"imwatch/alerting/route"
	"imwatch/alerting/silence"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// tellingEnv names the variable that has TestRestartsChangeNothing draw as many stories as -rapid.checks says.
const tellingEnv = "IMWATCH_TEST_TELLING"

// story is what happens: rounds of ten minutes, in which whatever a kill delays is told.
type story struct {
	GroupBy  []string
	Alerters int
	Rounds   []round
}

type round struct {
	Silence   string // a condition to silence for two rounds; "": none
	Unsilence bool
	Ack       int // an alert; -1: none
	Parent    bool
	States    []int // the alerts that change state, in this order
	Grave     []bool
	Kills     []kill
}

// kill is where an alerter dies: so many calls after its start.
type kill struct {
	Calls int
	After bool
}

const children = 6

func stories() *rapid.Generator[story] {
	rounds := rapid.Custom(func(t *rapid.T) round {
		r := round{
			Silence:   rapid.SampledFrom([]string{"", "", "", "rule = r1", "severity = high", "key.id =~ \"a.*|d.*\""}).Draw(t, "silence"),
			Unsilence: rapid.IntRange(0, 4).Draw(t, "unsilence") == 0,
			Ack:       rapid.IntRange(-4, children-1).Draw(t, "ack"),
			Parent:    rapid.IntRange(0, 3).Draw(t, "parent") == 0,
			States:    rapid.SliceOfN(rapid.IntRange(0, children-1), 0, 8).Draw(t, "states"),
			Kills: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) kill {
				return kill{rapid.IntRange(0, 120).Draw(t, "calls"), rapid.Bool().Draw(t, "after")}
			}), 0, 3).Draw(t, "kills"),
		}
		r.Grave = rapid.SliceOfN(rapid.Bool(), len(r.States), len(r.States)).Draw(t, "grave")
		return r
	})
	return rapid.Custom(func(t *rapid.T) story {
		return story{
			rapid.SampledFrom([][]string{nil, {"rule"}, {"labels.team"}, {"severity"}, {"..."}, {"labels.team", "key.half"}}).Draw(t, "group by"),
			rapid.IntRange(1, 3).Draw(t, "alerters"), rapid.SliceOfN(rounds, 1, 5).Draw(t, "rounds"),
		}
	})
}

// TestRestartsChangeNothing: whatever states many alerts go through, whatever holds them back meanwhile, in whatever groups
// they are told, however many alerters there are and wherever these die: each receiver is told the same as by a single one
// that lives on. Nothing is told twice but what a provider had taken when the alerter died before it knew.
func TestRestartsChangeNothing(t *testing.T) {
	if os.Getenv(tellingEnv) != "" {
		rapid.Check(t, func(rt *rapid.T) {
			s := stories().Draw(rt, "story")
			if fault := compareStories(t, s); fault != "" {
				rt.Fatal(fault)
			}
		})
		return
	}
	for seed := range 12 {
		s := stories().Example(seed)
		if fault := compareStories(t, s); fault != "" {
			t.Fatalf("seed %d: %s\n%+v", seed, fault, s)
		}
	}
}

// compareStories plays a story with and without deaths and says what differs.
func compareStories(t *testing.T, s story) string {
	t.Helper()
	var want, got *telling
	synctest.Test(t, func(t *testing.T) { want = tell(t, s, false) })
	synctest.Test(t, func(t *testing.T) { got = tell(t, s, true) })
	if want.fault != "" || got.fault != "" {
		return want.fault + got.fault
	}
	for name := range want.told {
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want.told[name])), slices.Sorted(maps.Keys(got.told[name]))); diff != "" {
			return fmt.Sprintf("%s is told something else: -want +got\n%s", name, diff)
		}
		if want.again[name] > 0 || got.again[name] > got.kills {
			return fmt.Sprintf("%s: %d messages told something again, %d without a single kill; there were %d kills", name, got.again[name], want.again[name], got.kills)
		}
	}
	return ""
}

// telling is what came of a story.
type telling struct {
	told  map[string]map[string]bool // for each receiver: "ALERT KIND"
	again map[string]int             // messages that told something that had been told
	kills int
	fault string
}

// teller plays a story.
type teller struct {
	*rig
	desk   *desk.Desk
	states map[int]*event.Alert
	count  map[int]int
	parent *event.Alert
	held   string // id of the silence that was made last
	actors []actor
	next   []kill
	kills  int
}

func tell(t *testing.T, s story, deaths bool) *telling {
	t.Helper()
	p := &teller{rig: newRig(t, "ops", "boss", "hook"), states: map[int]*event.Alert{}, count: map[int]int{}}
	p.cfg.Refresh, p.cfg.SilenceWarning = 20*time.Second, 0
	p.phones["ops"].budget, p.phones["boss"].budget = channel.Budget{Fold: 20_000}, channel.Budget{Fold: 20_000}
	p.cfg.Inhibit = []inhibit.Rule{{Source: []string{"rule = parent"}, Target: []string{"rule = r2"}}}
	p.cfg.Route = route.Config{
		Receivers: []string{"ops", "hook"}, GroupBy: s.GroupBy, GroupWait: 20 * time.Second, GroupInterval: time.Minute, RepeatInterval: 1000 * time.Hour,
		Routes: []route.Config{{Match: []string{"severity = critical"}, Receivers: []string{"ops", "boss"}, GroupWait: 5 * time.Second}},
	}
	var err error
	if p.desk, err = desk.New(p.store, nil, time.Now, quiet()); err != nil {
		t.Fatal(err)
	}
	alerters := 1
	if deaths {
		alerters = s.Alerters
		for _, r := range s.Rounds {
			p.next = append(p.next, r.Kills...)
		}
	}
	for range alerters {
		p.actors = append(p.actors, p.actor())
	}
	for _, r := range s.Rounds {
		p.round(r)
	}
	for p.parent != nil && p.parent.State != event.StateResolved {
		p.parent = advance(p.parent, "parent", "parent", "high")
		p.produce(p.parent)
	}
	p.wait(30 * time.Minute) // silences end
	for _, a := range p.actors {
		a.stop()
	}
	return p.result()
}

// actor starts an alerter that dies at the next of the kills.
func (p *teller) actor() actor {
	f := newFuse(-1, false)
	if len(p.next) > 0 {
		f = newFuse(p.next[0].Calls, p.next[0].After)
		p.next = p.next[1:]
	}
	a, stop := p.start(f, false)
	return actor{a, f, stop}
}

// wait lets time pass, and starts an alerter for each one that has died.
func (p *teller) wait(d time.Duration) {
	for ; d > 0; d -= 5 * time.Second {
		pass(5 * time.Second)
		for i, a := range p.actors {
			if _, where := a.fuse.state(); where != "" {
				a.stop()
				p.kills++
				p.actors[i] = p.actor()
			}
		}
	}
}

func (p *teller) round(r round) {
	p.hold(r)
	p.wait(time.Minute)
	if r.Parent {
		p.parent = advance(p.parent, "parent", "parent", "high")
		p.produce(p.parent)
	}
	p.wait(2 * time.Minute)
	for i, n := range r.States {
		severity := "high"
		if r.Grave[i] {
			severity = "critical"
		}
		p.child(n, severity)
	}
	p.wait(7 * time.Minute)
}

// hold has people say something, straight to the store: they do not die.
func (p *teller) hold(r round) {
	ctx, who := p.t.Context(), desk.Who{Name: "ann", Role: "responder"}
	if r.Unsilence && p.held != "" {
		if _, err := p.desk.EndSilence(ctx, who, p.held); err != nil {
			p.t.Fatal(err)
		}
	}
	if r.Silence != "" {
		s, err := p.desk.AddSilence(ctx, who, silence.Silence{Match: []string{r.Silence}, Reason: "x", Until: time.Now().Add(15 * time.Minute)})
		if err != nil {
			p.t.Fatal(err)
		}
		p.held = s.ID
	}
	if a := p.states[r.Ack]; a != nil && a.State != event.StateResolved {
		if _, err := p.desk.Acknowledge(ctx, who, a, time.Hour, ""); err != nil {
			p.t.Fatal(err)
		}
	}
}

// child has one of the alerts go on: it fires, is updated, is over, and fires again as another one.
func (p *teller) child(n int, severity string) {
	name := string(rune('a' + n))
	if a := p.states[n]; a == nil || a.State == event.StateResolved {
		p.count[n]++
	}
	a := advance(p.states[n], fmt.Sprint(name, "-", p.count[n]), "r"+strconv.Itoa(1+n/3), severity)
	a.Key = []event.KeyPart{{Field: "id", Value: a.ID}, {Field: "half", Value: strconv.Itoa(n % 2)}}
	a.Labels = map[string]string{"team": strconv.Itoa(n % 3)}
	p.states[n] = a
	p.produce(a)
}

// advance gives the next state of an alert: no less grave than before, and as before when it is over.
func advance(old *event.Alert, id, rule, severity string) *event.Alert {
	now := time.Now().UTC()
	if old == nil || old.State == event.StateResolved {
		if old != nil && old.ID == id {
			id += "+"
		}
		a := state(id, event.StateFiring, now, 0)
		a.RuleID, a.RuleName, a.Severity = rule, rule, severity
		a.Key = []event.KeyPart{{Field: "id", Value: id}}
		return a
	}
	a := *old
	a.Time = now
	if old.State == event.StateFiring {
		a.Time = a.Time.Add(time.Millisecond) // an update at the moment of its firing is not one
		a.State = event.StateUpdated
		if outbox.Rank(severity) > outbox.Rank(a.Severity) {
			a.Severity = severity
		}
		return &a
	}
	a.State = event.StateResolved
	a.Time = later(a.Time, old.Time.Add(time.Millisecond))
	a.To = a.Time
	return &a
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// result reads what was told from the messages.
func (p *teller) result() *telling {
	out := &telling{told: map[string]map[string]bool{}, again: map[string]int{}, kills: p.kills}
	for name, phone := range p.phones {
		told := map[string]bool{}
		for _, n := range phone.all() {
			known := false
			for _, what := range whatIsTold(n) {
				known = known || told[what]
				told[what] = true
			}
			if known {
				out.again[name]++
			}
		}
		out.told[name] = told
	}
	for what, n := range p.ledger() {
		if strings.HasPrefix(what, "pending ") || strings.HasPrefix(what, "failed ") {
			out.fault += fmt.Sprintf("%d entries are %s; ", n, what)
		}
	}
	return out
}
