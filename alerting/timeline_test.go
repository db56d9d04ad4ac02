package alerting_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/channel"
	"imwatch/alerting/flap"
	"imwatch/alerting/inhibit"
	"imwatch/alerting/route"
	"imwatch/event"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// timeline is a story in fake time: what happens when, and what each receiver is told when. testdata/timelines/README.md
// says how to write one.
type timeline struct {
	About     string              `yaml:"about"`
	Receivers []listener          `yaml:"receivers"`
	Route     route.Config        `yaml:"route"`
	Inhibit   []inhibit.Rule      `yaml:"inhibit"`
	Flapping  flap.Config         `yaml:"flapping"`
	Alerters  int                 `yaml:"alerters"`
	Steps     []step              `yaml:"steps"`
	Until     time.Duration       `yaml:"until"`
	Expect    map[string][]saying `yaml:"expect"`
}

// listener is a receiver: a person, who can be told several alerts in one message, or a program, which cannot.
type listener struct {
	Name     string `yaml:"name"`
	Program  bool   `yaml:"program"`
	Fallback string `yaml:"fallback"`
}

// step is one thing that happens. Exactly one of its verbs is set; the other fields say more.
type step struct {
	At time.Duration `yaml:"at"`

	Fire      string `yaml:"fire"`
	Update    string `yaml:"update"`
	Resolve   string `yaml:"resolve"`
	Ack       string `yaml:"ack"`
	Silence   string `yaml:"silence"`
	Unsilence string `yaml:"unsilence"`
	Restart   string `yaml:"restart"` // kill or stop
	Trouble   string `yaml:"trouble"` // a receiver

	Severity string            `yaml:"severity"`
	Rule     string            `yaml:"rule"`
	Labels   map[string]string `yaml:"labels"`
	Key      map[string]string `yaml:"key"`
	Match    []string          `yaml:"match"`
	For      time.Duration     `yaml:"for"`
	Down     time.Duration     `yaml:"down"`  // of a restart: how long nothing runs
	Times    int               `yaml:"times"` // of a trouble: for so many calls
	Answer   string            `yaml:"answer"`
}

// saying is one message that a receiver accepted.
type saying struct {
	At     time.Duration `yaml:"at"`
	Within time.Duration `yaml:"within"` // it may come so much later
	Told   []string      `yaml:"told"`   // "ALERT KIND" for each of its notifications
	Group  string        `yaml:"group"`  // what its title says of the group
	Says   string        `yaml:"says"`   // a part of its text
}

func readTimeline(t *testing.T, file string) *timeline {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tl := &timeline{Alerters: 1, Until: time.Hour, Flapping: flap.DefaultConfig()}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(tl); err != nil {
		t.Fatal(err)
	}
	if len(tl.Receivers) == 0 {
		tl.Receivers = []listener{{Name: "ops"}}
	}
	if len(tl.Expect) == 0 {
		t.Fatal("it expects nothing")
	}
	return tl
}

// TestTimelines plays every timeline.
func TestTimelines(t *testing.T) {
	files, err := filepath.Glob("testdata/timelines/*.yaml")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d timelines, %v", len(files), err)
	}
	for _, file := range files {
		tl := readTimeline(t, file)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { play(t, tl) })
		})
	}
}

// stage is where a timeline is played.
type stage struct {
	*rig
	start     time.Time
	running   []actor
	incidents map[string]*event.Alert // the newest of each name
	fired     map[string]int
	silences  map[string]string // ids by name
}

type actor struct {
	*alerting.Alerter
	fuse *fuse
	stop func()
}

func play(t *testing.T, tl *timeline) {
	t.Helper()
	s := newStage(t, tl)
	s.run(tl.Alerters)
	for _, st := range tl.Steps {
		s.wait(st.At)
		s.do(st)
	}
	s.wait(tl.Until)
	s.halt(false)
	for name, want := range tl.Expect {
		compareSaid(t, name, want, s.said(name))
	}
	for name := range s.phones {
		if _, ok := tl.Expect[name]; !ok && len(s.said(name)) > 0 {
			t.Errorf("%s was told something: %+v", name, s.said(name))
		}
	}
	s.settled()
}

func newStage(t *testing.T, tl *timeline) *stage {
	t.Helper()
	var names []string
	for _, r := range tl.Receivers {
		names = append(names, r.Name)
	}
	s := &stage{rig: newRig(t, names...), incidents: map[string]*event.Alert{}, fired: map[string]int{}, silences: map[string]string{}}
	s.withDesk()
	s.cfg.Refresh = alerting.DefaultConfig().Refresh
	s.cfg.Inhibit, s.cfg.Flapping, s.cfg.SilenceWarning = tl.Inhibit, tl.Flapping, 0
	for i, r := range tl.Receivers {
		s.cfg.Receivers[i].Fallback = r.Fallback
		if !r.Program {
			s.phones[r.Name].budget = channel.Budget{Fold: 20_000}
		}
	}
	if !tl.Route.IsZero() {
		s.cfg.Route = tl.Route
	}
	s.start = time.Now()
	return s
}

func (s *stage) run(n int) {
	for range n {
		f := newFuse(-1, false)
		a, stop := s.rig.start(f, false)
		s.running = append(s.running, actor{a, f, stop})
	}
	synctest.Wait()
}

func (s *stage) halt(kill bool) {
	for _, a := range s.running {
		if kill {
			a.fuse.kill()
		}
		a.stop()
	}
	s.running = nil
}

func (s *stage) wait(at time.Duration) {
	if d := at - time.Since(s.start); d > 0 {
		pass(d)
	}
}

func (s *stage) do(st step) {
	s.t.Helper()
	switch {
	case st.Fire != "", st.Update != "", st.Resolve != "":
		s.alert(st)
	case st.Ack != "":
		body := fmt.Sprintf(`{"for":%q}`, cmp.Or(st.For, time.Hour))
		speak(s, "POST", "/alerts/"+s.incidents[st.Ack].ID+"/ack", body)
	case st.Silence != "":
		match, _ := yaml.Marshal(st.Match) // a list of texts
		var list []string
		_ = yaml.Unmarshal(match, &list)
		body := fmt.Sprintf(`{"match":["%s"],"reason":"test","for":%q}`, strings.Join(list, `","`), cmp.Or(st.For, time.Hour))
		s.silences[st.Silence] = speak(s, "POST", "/silences", body)
	case st.Unsilence != "":
		speak(s, "DELETE", "/silences/"+s.silences[st.Unsilence], "")
	case st.Restart != "":
		n := len(s.running)
		s.halt(st.Restart == "kill")
		pass(st.Down)
		s.run(n)
	case st.Trouble != "":
		s.trouble(st)
	default:
		s.t.Fatalf("a step without a verb: %+v", st)
	}
	synctest.Wait()
}

// speak speaks to the first of the alerters.
func speak(s *stage, method, path, body string) string {
	s.t.Helper()
	return say(s.t, s.running[0].Alerter, method, path, body)
}

func (s *stage) trouble(st step) {
	answers := map[string]channel.Result{
		"busy": channel.TryLater(0, "busy"), "wait": channel.TryLater(st.For, "wait"), "refuse": channel.Refuse("no"), "silent": channel.NoAnswer("timeout"),
	}
	r, ok := answers[st.Answer]
	if !ok {
		s.t.Fatalf("answer %q", st.Answer)
	}
	p := s.phones[st.Trouble]
	p.mu.Lock()
	defer p.mu.Unlock()
	for range max(1, st.Times) {
		p.answers = append(p.answers, r)
	}
}

// alert produces a state of an alert; its name is in its key, so that messages name it.
func (s *stage) alert(st step) {
	now := time.Now().UTC()
	name := cmp.Or(st.Fire, st.Update, st.Resolve)
	if st.Fire != "" {
		s.fired[name]++
		a := state(fmt.Sprintf("%s-%d", name, s.fired[name]), event.StateFiring, now, 0)
		a.RuleID, a.Severity, a.Labels = cmp.Or(st.Rule, "rule-"+name), cmp.Or(st.Severity, "high"), st.Labels
		a.RuleName = a.RuleID
		a.Key = []event.KeyPart{{Field: "id", Value: name}}
		for _, field := range slices.Sorted(mapsKeys(st.Key)) {
			a.Key = append(a.Key, event.KeyPart{Field: field, Value: st.Key[field]})
		}
		s.incidents[name] = a
	}
	a := *s.incidents[name]
	a.Time = now
	switch {
	case st.Update != "":
		a.State, a.Value, a.Severity = event.StateUpdated, 2*a.Value, cmp.Or(st.Severity, a.Severity)
	case st.Resolve != "":
		a.State, a.To = event.StateResolved, now
	}
	s.incidents[name] = &a
	s.produce(&a)
}

func mapsKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

var (
	toldLine = regexp.MustCompile(`^\[([^\]]+)\]\[[^\]]+\] .*×\d+: (.*)$`)
	toldName = regexp.MustCompile(`\bid=([\w+-]+)`)
)

// said is what a receiver accepted, read from the messages themselves.
func (s *stage) said(name string) (out []saying) {
	p := s.phones[name]
	for i, n := range p.all() {
		out = append(out, saying{At: p.at[i].Sub(s.start), Says: n.Message.Title + "\n" + n.Message.Body, Told: whatIsTold(n)})
	}
	slices.SortStableFunc(out, inOrder)
	return out
}

// whatIsTold names the alerts and states of a message: "ALERT KIND". Alerts are known by the id in their key.
func whatIsTold(n channel.Notification) (out []string) {
	if n.Kind != channel.Digest {
		return []string{n.Alert.Key[0].Value + " " + string(n.Kind)}
	}
	for line := range strings.SplitSeq(n.Message.Body, "\n") {
		if found := toldLine.FindStringSubmatch(line); found != nil {
			kind := strings.Replace(found[1], "still firing", "repeat", 1)
			for _, id := range toldName.FindAllStringSubmatch(found[2], -1) {
				out = append(out, id[1]+" "+kind)
			}
		}
	}
	slices.Sort(out)
	return out
}

// inOrder orders by time; of the same second the order is chance.
func inOrder(a, b saying) int {
	return cmp.Or(cmp.Compare(a.At.Truncate(time.Second), b.At.Truncate(time.Second)), slices.Compare(a.Told, b.Told))
}

func compareSaid(t *testing.T, name string, want, got []saying) {
	t.Helper()
	text := func(m saying) string {
		return fmt.Sprintf("%v %s", m.At.Truncate(time.Second), strings.Join(m.Told, ", "))
	}
	var wants, gots []string
	for i := range want {
		slices.Sort(want[i].Told)
	}
	slices.SortStableFunc(want, inOrder)
	for i, w := range want {
		if i < len(got) {
			if late := got[i].At - w.At; late >= 0 && late <= w.Within {
				w.At = got[i].At
			}
			if w.Group != "" && !strings.HasSuffix(strings.SplitN(got[i].Says, "\n", 2)[0], " — "+w.Group) || !strings.Contains(got[i].Says, w.Says) {
				t.Errorf("%s, message %d: no %q and %q in %s", name, i, w.Group, w.Says, got[i].Says)
			}
		}
		wants = append(wants, text(w))
	}
	for _, g := range got {
		gots = append(gots, text(g))
	}
	if diff := gocmp.Diff(wants, gots); diff != "" {
		t.Errorf("%s: -want +got\n%s", name, diff)
	}
}

// settled checks that the ledger has nothing of which nobody knows what became.
func (s *stage) settled() {
	for what, n := range s.ledger() {
		if strings.HasPrefix(what, "pending ") && !strings.Contains("pending silenced pending inhibited pending flapping", what) {
			s.t.Errorf("%d entries are %s", n, what)
		}
	}
}
