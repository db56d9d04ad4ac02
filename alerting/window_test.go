package alerting_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/channel"
	"imwatch/alerting/silence"
)

// about gives what a phone was told by rules of silences: KIND SUMMARY.
func about(p *phone, rule string) []string {
	var out []string
	for _, n := range p.all() {
		if n.Alert.RuleID == rule {
			out = append(out, string(n.Kind)+" "+n.Alert.Annotations["summary"])
		}
	}
	return out
}

// others names what a phone was told but about silences.
func others(p *phone) []string {
	return slices.DeleteFunc(told(p), func(s string) bool { return !strings.HasPrefix(s, "a-") })
}

// crew is alerters that share the work, and may be stopped and started again.
type crew struct {
	*rig
	members []*alerting.Alerter
	stops   []func()
}

func (c *crew) start(n int) {
	for range n {
		a, stop := c.rig.start(newFuse(-1, false), false)
		c.members, c.stops = append(c.members, a), append(c.stops, stop)
	}
	pass(time.Second)
}

func (c *crew) stop() {
	for _, stop := range c.stops {
		stop()
	}
	c.members, c.stops = nil, nil
}

func newCrew(t *testing.T) *crew {
	t.Helper()
	r := newRig(t, "ops", "boss")
	r.withDesk()
	r.cfg.Refresh, r.cfg.SilenceWarning = 5*time.Second, alerting.DefaultConfig().SilenceWarning
	return &crew{rig: r}
}

// TestMaintenanceIsSummedUp: what a window held is told once when it ends, exactly, whoever was there: over restarts, with several
// alerters, and where nobody was there at its end. What was told before it, or came after it, does not count.
func TestMaintenanceIsSummedUp(t *testing.T) {
	for _, tt := range []struct {
		name             string
		alerters         int
		restart, absence bool
		weekly, grouped  bool
	}{
		{"one", 1, false, false, false, false},
		{"three", 3, false, false, false, false},
		{"two, restarted", 2, true, false, false, false},
		{"nobody at its end", 1, false, true, false, false},
		{"weekly", 2, true, false, true, false},
		{"in groups", 2, true, false, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
				c := newCrew(t)
				defer c.stop()
				if tt.grouped {
					c.cfg.Route.GroupBy = []string{"rule"}
				}
				c.start(tt.alerters)
				start := time.Now().UTC()
				asked := `{"match":["key.client.ip = 192.0.2.1"],"reason":"upgrade","kind":"maintenance","from":"2000-01-01T00:10:00Z","until":"2000-01-01T00:20:00Z"}`
				if tt.weekly {
					asked = `{"match":["key.client.ip = 192.0.2.1"],"reason":"upgrade","kind":"maintenance","weekly":[{"days":["sat"],"from":"00:10","until":"00:20"}]}`
				}
				id := say(t, c.members[0], http.MethodPost, "/silences", asked)
				c.produce(state("a-before", "firing", start, 0))
				pass(11 * time.Minute) // in the window
				for i := range 7 {
					c.produce(state(fmt.Sprintf("a-%d", i), "firing", time.Now().UTC(), 0))
				}
				pass(time.Minute)
				if tt.restart {
					c.stop()
					c.start(tt.alerters)
				}
				for i := range 5 {
					c.produce(state(fmt.Sprintf("a-%d", i), "resolved", time.Now().UTC().Add(-time.Minute), 30))
				}
				pass(time.Minute)
				for _, name := range []string{"ops", "boss"} {
					wantTold(t, "in the window", c.phones[name], "a-before firing")
				}
				if tt.absence {
					c.stop()
					pass(3 * time.Hour)
					c.start(1)
				}
				pass(9 * time.Minute)
				c.produce(state("a-after", "firing", time.Now().UTC(), 0))
				pass(time.Minute)
				if tt.restart {
					c.stop()
					c.start(tt.alerters)
					pass(time.Minute)
				}
				c.stop()
				want := "resolved during maintenance " + id + " of ann (upgrade), which ended at 2000-01-01T00:20:00Z, 7 alerts were held, 2 still fire"
				for _, name := range []string{"ops", "boss"} {
					if got := about(c.phones[name], silence.MaintenanceRule); !slices.Equal(got, []string{want}) {
						t.Errorf("%s was told\n%q, want\n%q", name, got, want)
					}
					firing := slices.DeleteFunc(others(c.phones[name]), func(s string) bool { return strings.HasSuffix(s, "repeat") })
					slices.Sort(firing)
					if !slices.Equal(firing, []string{"a-5 firing", "a-6 firing", "a-after firing", "a-before firing"}) {
						t.Errorf("%s was told %v", name, firing)
					}
				}
			})
		})
	}
}

// TestEachTimeIsSummedUp by itself, and one in which nothing was held is not told of.
func TestEachTimeIsSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		defer c.stop()
		hours := func(from, until string) silence.Weekly {
			return silence.Weekly{From: from, Until: until, Zone: "Asia/Shanghai"}
		}
		c.cfg.Silences = []*silence.Silence{{
			ID: "jobs", Match: []string{"severity = high"}, Author: "ops", Reason: "backup", Kind: silence.Maintenance, Zone: "Asia/Shanghai",
			Weekly: []silence.Weekly{hours("09:00", "09:30"), hours("10:00", "10:30"), hours("11:00", "11:20"), hours("11:20", "11:30")}, // 01:00 and so on
		}}
		c.start(1)
		pass(time.Hour - time.Second)
		for at, n := range []int{2, 0, 3} {
			pass(time.Minute)
			for i := range n {
				c.produce(state(fmt.Sprintf("a-%d-%d", at, i), "firing", time.Now().UTC(), 0))
			}
			pass(59 * time.Minute)
		}
		got := about(c.phones["ops"], silence.MaintenanceRule)
		if len(got) != 2 || !strings.Contains(got[0], "2000-01-01T09:30:00+08:00 Asia/Shanghai, 2 alerts were held, 2 still fire") || !strings.Contains(got[1], "2000-01-01T11:30:00+08:00 Asia/Shanghai, 3 alerts were held, 3 still fire") {
			t.Errorf("told %q", got)
		}
	})
}

// TestEndOfASilenceIsWarnedOf once, with a link to extend it, to every receiver, whoever is there; what it holds is named. It is
// taken back when the silence is extended, and comes again near the new end.
func TestEndOfASilenceIsWarnedOf(t *testing.T) {
	for _, alerters := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrew(t)
			defer c.stop()
			c.start(alerters)
			id := say(t, c.members[0], http.MethodPost, "/silences", `{"match":["severity in [high, warn]"],"reason":"upgrade","for":"1h"}`)
			pass(10 * time.Second)
			c.produce(state("a-held", "firing", time.Now().UTC(), 0))
			pass(44 * time.Minute)
			if got := told(c.phones["ops"]); len(got) != 0 {
				t.Fatalf("told %v too early", got)
			}
			pass(2 * time.Minute)
			c.stop() // and what is told is not told again
			c.start(alerters)
			pass(2 * time.Minute)
			want := "firing silence " + id + " of ann (upgrade) ends at 2000-01-01T01:00:01Z and holds 1 alerts that still fire"
			var link string
			for _, name := range []string{"ops", "boss"} {
				if got := about(c.phones[name], silence.EndsRule); !slices.Equal(got, []string{want}) {
					t.Fatalf("%s was told %q, want %q", name, got, want)
				}
				n := c.phones[name].all()[0]
				if n.Kind != channel.Firing || !strings.Contains(n.Alert.Annotations["holds"], "rule-a-held") || strings.Count(n.Message.Body, "https://watch.example.org/l/") != 1 {
					t.Errorf("%+v", n.Message)
				}
				for _, l := range n.Message.Links {
					if strings.Contains(l.URL, "/l/") {
						link = strings.TrimPrefix(l.URL, "https://watch.example.org")
					}
				}
			}
			for range 2 { // a click, and another one
				w := httptest.NewRecorder()
				c.members[0].Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, link, nil))
				if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "ends at 2000-01-01T02:00:01Z") {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
			}
			pass(time.Minute)
			if got := about(c.phones["ops"], silence.EndsRule); len(got) != 2 || !strings.HasPrefix(got[1], "resolved "+id+": it ends at 2000-01-01T02:00:01Z now, by link to ") {
				t.Fatalf("after the click: %q", got)
			}
			pass(57 * time.Minute)
			if got := about(c.phones["ops"], silence.EndsRule); len(got) != 3 || !strings.Contains(got[2], "ends at 2000-01-01T02:00:01Z and holds 1") {
				t.Fatalf("near the new end: %q", got)
			}
			pass(20 * time.Minute)
			c.stop()
			if got := about(c.phones["ops"], silence.EndsRule); len(got) != 4 || !strings.Contains(got[3], "it is over") {
				t.Fatalf("at the end: %q", got)
			}
			if got := others(c.phones["ops"]); !slices.Equal(got, []string{"a-held firing"}) {
				t.Errorf("told %v", got)
			}
		})
	}
}

// TestNoWarning where nothing that the silence holds fires, where it comes again each week, or stands in the configuration, or
// where nobody wants one; and one is taken back when what it holds is over.
func TestNoWarning(t *testing.T) {
	for _, tt := range []struct {
		name    string
		say     string
		warning time.Duration
		held    bool
		want    int
	}{
		{"nothing fires", `{"match":["rule = x"],"reason":"r","for":"1h"}`, 15 * time.Minute, true, 0},
		{"weekly", `{"match":["severity = high"],"reason":"r","for":"1h","weekly":[{"from":"00:00","until":"24:00"}]}`, 15 * time.Minute, true, 0},
		{"off", `{"match":["severity = high"],"reason":"r","for":"1h"}`, 0, true, 0},
		{"over before", `{"match":["severity = high"],"reason":"r","for":"1h"}`, 15 * time.Minute, false, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrew(t)
				defer c.stop()
				c.cfg.SilenceWarning = tt.warning
				c.cfg.Silences = []*silence.Silence{{ID: "fixed", Match: []string{"severity = high"}, Author: "ops", Reason: "x", From: time.Now(), Until: time.Now().Add(time.Hour)}}
				c.start(1)
				say(t, c.members[0], http.MethodPost, "/silences", tt.say)
				c.produce(state("a-held", "firing", time.Now().UTC(), 0))
				pass(50 * time.Minute)
				if !tt.held {
					c.produce(state("a-held", "resolved", time.Now().UTC(), 0))
				}
				pass(9 * time.Minute)
				got := about(c.phones["ops"], silence.EndsRule)
				if len(got) != tt.want || tt.want == 2 && !strings.Contains(got[1], "nothing that it holds fires any more") {
					t.Errorf("told %q", got)
				}
				c.stop()
			})
		})
	}
}
