package backtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"imwatch/detector/backtest"
	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const failures = `
id: failures
title: Failures
severity: high
where: 'event.action: handshake_failure'
group_by: [client.ip]
detect: {threshold: {count: "> 2", window: 10s}}
resolve: {after: 5s}
`

func parse(t *testing.T, yaml string) []*rule.Rule {
	t.Helper()
	rules, findings := rule.Parse("test.yaml", []byte(yaml))
	if rule.HasErrors(findings) {
		t.Fatal(findings)
	}
	return rules
}

// line writes a failed handshake at some second.
func line(second float64, id, ip string) string {
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).Add(time.Duration(second * float64(time.Second)))
	if id != "" {
		id = fmt.Sprintf(`"id":%q,`, id)
	}
	return fmt.Sprintf(`{"@timestamp":%q,"event":{%s"action":"handshake_failure"},"client":{"ip":%q},"service":{"node":{"name":"n1"}}}`+"\n",
		at.Format("2006-01-02T15:04:05.999Z"), id, ip)
}

// brief prints alert lines as "second state value".
func brief(t *testing.T, out string) []string {
	t.Helper()
	var all []string
	for l := range strings.Lines(out) {
		var a event.Alert
		if err := a.UnmarshalJSON([]byte(l)); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %s %s %v", a.Time.Format("05.000"), a.RuleID, a.State, a.KeyString(), a.Value))
	}
	return all
}

func TestFile(t *testing.T) {
	t.Parallel()
	const ip = "192.0.2.1"
	at := func(s int) time.Time { return time.Date(2026, 11, 21, 10, 0, s, 0, time.UTC) }
	firing := "02.000 failures firing client.ip=192.0.2.1 3"
	for name, c := range map[string]struct {
		file     string
		from, to time.Time
		want     []string
		bad      int
		late     int
	}{
		"the clock ends at the greatest event time": {
			file: line(0, "a", ip) + line(1, "b", ip) + line(2, "c", ip), want: []string{firing},
		},
		"deadlines up to then are kept": {
			file: line(0, "a", ip) + line(1, "b", ip) + line(2, "c", ip) + line(15, "d", "192.0.2.9"),
			want: []string{firing, "15.000 failures resolved client.ip=192.0.2.1 0"},
		},
		"or runs on to --to": {
			file: line(0, "a", ip) + line(1, "b", ip) + line(2, "c", ip), to: at(15),
			want: []string{firing, "15.000 failures resolved client.ip=192.0.2.1 0"},
		},
		"and not beyond": {
			file: line(0, "a", ip) + line(1, "b", ip) + line(2, "c", ip) + line(40, "d", ip), to: at(14), want: []string{firing},
		},
		"a watermark beyond the last event does not move the clock on": {
			file: line(0, "a", ip) + line(1, "b", ip) + line(2, "c", ip) +
				`{"@timestamp":"2026-11-21T10:00:30Z","event":{"dataset":"im.pipeline","action":"watermark"},"service":{"node":{"name":"n1"}},"im":{"pipeline":{"shipped_until":"2026-11-21T10:00:30Z"}}}` + "\n",
			want: []string{firing},
		},
		"from leaves out what came before": {
			file: line(0, "a", ip) + line(1, "b", ip) + line(2, "c", ip) + line(3, "d", ip), from: at(1),
			want: []string{"03.000 failures firing client.ip=192.0.2.1 3"},
		},
		"arrival is line order: disorder within lateness": {
			file: line(2, "c", ip) + line(0, "a", ip) + line(1, "b", ip), want: []string{firing},
		},
		"more disorder than that is late": {
			file: line(2.5, "c", ip) + line(0, "a", ip) + line(1, "b", ip) + line(2, "d", ip), late: 1,
			want: []string{"02.500 failures firing client.ip=192.0.2.1 3"},
		},
		"the first of a repeated id wins": {
			file: line(0, "a", ip) + line(1, "b", ip) + line(2, "b", ip), want: nil,
		},
		"lines without an id are events of their own": {
			file: line(0, "", ip) + line(0, "", ip) + line(0, "", ip), want: []string{"00.000 failures firing client.ip=192.0.2.1 3"},
		},
		"what cannot be read is told and passed over": {
			file: line(0, "a", ip) + "{\n\n" + line(1, "b", ip) + strings.Repeat("x", 1<<20) + "\n" + strings.TrimSuffix(line(2, "c", ip), "\n"),
			want: []string{firing}, bad: 2,
		},
		"an empty file": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			s, err := backtest.File(context.Background(), strings.NewReader(c.file), "x", backtest.Options{
				Rules: parse(t, failures), From: c.from, To: c.to, Out: &out,
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, brief(t, out.String())); diff != "" {
				t.Errorf("alerts differ (-want +got):\n%s", diff)
			}
			if late := s.Late["failures"]["n1"]; s.Bad != c.bad || late != c.late {
				t.Errorf("%d bad lines, %d late events; expected %d and %d", s.Bad, late, c.bad, c.late)
			}
		})
	}
}

func TestBadLinesAreTold(t *testing.T) {
	t.Parallel()
	s, err := backtest.File(context.Background(), strings.NewReader(line(0, "a", "192.0.2.1")+"\n{}\n"), "events.jsonl", backtest.Options{Rules: parse(t, failures)})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := s.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if want := "events.jsonl: line 3: byte 0: @timestamp: an event needs an RFC 3339 @timestamp\n"; !strings.HasPrefix(text.String(), want) {
		t.Errorf("found %q, expected it to begin with %q", text.String(), want)
	}
}

func TestAReaderThatFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	src := io.MultiReader(strings.NewReader(line(0, "a", "192.0.2.1")), iotest.ErrReader(broken))
	if _, err := backtest.File(context.Background(), src, "x", backtest.Options{Rules: parse(t, failures)}); !errors.Is(err, broken) {
		t.Errorf("found %v, expected it to tell %v", err, broken)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := backtest.File(ctx, strings.NewReader(line(0, "a", "192.0.2.1")), "x", backtest.Options{Rules: parse(t, failures)}); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v, expected it to tell that the context ended", err)
	}
}

// TestAllSourcesAgree holds file, topic and store, in both modes, to the same lines.
func TestAllSourcesAgree(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	var ms []bus.Message
	var events []*event.Event
	for i := range 500 {
		l := line(float64(i*i%997)/10, fmt.Sprintf("e%04d", i), fmt.Sprintf("192.0.2.%d", i%7))
		ev := &event.Event{}
		if err := event.Decode([]byte(l), ev); err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	reader := backtest.NewMemory(events)
	for _, ev := range events { // in order of time now
		b := ev.AppendJSON(nil)
		file.Write(append(b, '\n'))
		ms = append(ms, bus.Message{Key: []byte(ev.Key()), Value: b})
	}
	b := membus.New()
	defer b.Close()
	ctx := context.Background()
	if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: bus.TopicLifecycle, Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	if err := b.Produce(ctx, bus.TopicLifecycle, ms...); err != nil {
		t.Fatal(err)
	}
	rules := parse(t, failures+"---"+strings.ReplaceAll(failures, "id: failures", "id: all")+"\nstatus: shadow\n"+
		"---\nid: off\ntitle: x\nseverity: info\nstatus: disabled\ndetect: {threshold: {count: '> 0', window: 1s}}\n")
	before := parse(t, strings.ReplaceAll(failures, "> 2", "> 3"))
	var want, wantDiff string
	for name, run := range map[string]func(backtest.Options) (*backtest.Summary, error){
		"topic": func(o backtest.Options) (*backtest.Summary, error) {
			return backtest.Topic(ctx, b, bus.TopicLifecycle, o)
		},
		"store": func(o backtest.Options) (*backtest.Summary, error) { return backtest.Store(ctx, reader, o) },
		"queried store": func(o backtest.Options) (*backtest.Summary, error) {
			o.Query = true
			return backtest.Store(ctx, reader, o)
		},
		"queried file": func(o backtest.Options) (*backtest.Summary, error) {
			o.Query = true
			return backtest.File(ctx, strings.NewReader(file.String()), "x", o)
		},
	} {
		if want == "" {
			var out bytes.Buffer
			s, err := backtest.File(ctx, strings.NewReader(file.String()), "x", backtest.Options{Rules: rules, Out: &out, Against: before})
			if err != nil {
				t.Fatal(err)
			}
			if wantDiff = fmt.Sprintf("%+v", s.Diff); len(s.Diff.Lines) == 0 {
				t.Fatal("no difference to compare")
			}
			if want = out.String(); strings.Count(want, "\n") < 20 {
				t.Fatalf("few alerts to compare:\n%s", want)
			}
		}
		var out bytes.Buffer
		s, err := run(backtest.Options{Rules: rules, Out: &out, Against: before})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%s differs from the file (-file +%s):\n%s", name, name, diff)
		}
		if diff := cmp.Diff(wantDiff, fmt.Sprintf("%+v", s.Diff)); diff != "" {
			t.Errorf("%s: what differs from the version before, differs from the file (-file +%s):\n%s", name, name, diff)
		}
		var text bytes.Buffer
		if err := s.WriteText(&text); err != nil || !strings.Contains(text.String(), "failures: ") {
			t.Errorf("%s: summary %q, %v", name, text.String(), err)
		}
	}
}
