package alerting_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"imwatch/alerting"
	"imwatch/alerting/render"
	"imwatch/alerting/route"
	"imwatch/alerting/wecom"
	"imwatch/event"

	"github.com/sirupsen/logrus"
)

// group plays WeCom's robot in fake time: it counts calls in every minute, and refuses with 45009 what is too much.
type group struct {
	mu       sync.Mutex
	calls    []time.Time // all
	contents []string    // accepted
	at       []time.Time
	bodies   [][]byte
	fail     int // of the next calls, so many are answered by 45009
}

func (g *group) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.calls = append(g.calls, now)
	g.bodies = append(g.bodies, body)
	answer := `{"errcode":0,"errmsg":"ok"}`
	var m struct{ Markdown struct{ Content string } }
	switch {
	case json.Unmarshal(body, &m) != nil || m.Markdown.Content == "":
		answer = `{"errcode":40058,"errmsg":"arguments"}`
	case g.fail > 0:
		g.fail--
		answer = `{"errcode":45009,"errmsg":"api freq out of limit"}`
	default:
		g.contents, g.at = append(g.contents, m.Markdown.Content), append(g.at, now)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(answer))), Request: q}, nil
}

// most gives the greatest number of calls in any minute.
func (g *group) most() int {
	most := 0
	for i := range g.calls {
		n := 0
		for j := i; j < len(g.calls) && g.calls[j].Sub(g.calls[i]) < time.Minute; j++ {
			n++
		}
		most = max(most, n)
	}
	return most
}

// TestFlood is 5,000 alerts in a minute to one robot, some of them critical; once the robot refuses the first calls,
// after which nobody may call it for a minute each time.
func TestFlood(t *testing.T) {
	t.Run("en", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { flood(t, "en", 5000, 0, 2*time.Second, 1) }) })
	t.Run("zh, refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { flood(t, "zh", 1000, 2, 130*time.Second, 1) })
	})
	t.Run("two alerters", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { flood(t, "en", 600, 0, 10*time.Second, 2) }) })
	t.Run("three alerters, refused", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { flood(t, "en", 600, 1, 90*time.Second, 3) }) })
}

// flood lets the robot refuse the first calls, and demands that critical alerts are told within a time.
func flood(t *testing.T, lang string, alerts, refused int, within time.Duration, alerters int) {
	t.Helper()
	r := newRig(t)
	g := &group{fail: refused}
	rec := alerting.NewReceiver("team")
	wc := wecom.DefaultConfig()
	wc.URL, wc.Mention = "http://robot.example/cgi-bin/webhook/send?key=k", []string{"oncall"}
	rec.WeCom, rec.Language = &wc, lang
	r.cfg.Receivers, r.cfg.Route = []alerting.Receiver{rec}, route.Config{Receivers: []string{"team"}}
	r.cfg.Links = render.Links{Kibana: "https://kibana.example.org"}
	log := logrus.New()
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, alerters)
	for range alerters {
		a, err := alerting.New(r.cfg, alerting.Deps{Bus: r.bus, Store: r.store, Log: log, HTTP: &http.Client{Transport: g}})
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- a.Run(ctx) }()
	}
	const seconds = 50
	criticals := map[string]time.Time{}
	for s := range seconds {
		for i := range alerts / seconds {
			n := s*alerts/seconds + i
			al := state(fmt.Sprint(n), event.StateFiring, time.Now().UTC(), 0)
			al.RuleID, al.RuleName = fmt.Sprintf("rule-%d", n%7), fmt.Sprintf("Rule %d 握手失败", n%7)
			al.Key = []event.KeyPart{{Field: "client.ip", Value: fmt.Sprintf("10.0.%d.%d", n/256, n%256)}}
			if al.Severity = "warn"; n%500 == 499 {
				al.Severity = "critical"
				criticals[al.Key[0].Value] = time.Now()
			}
			r.produce(al)
		}
		pass(time.Second)
	}
	pass(5 * time.Minute)
	cancel()
	for range alerters {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := g.most(); n > 20 {
		t.Errorf("%d calls in a minute", n)
	}
	for _, b := range g.bodies {
		if len(b) > 4096 || !utf8.Valid(b) {
			t.Errorf("a body of %d bytes, valid UTF-8: %v", len(b), utf8.Valid(b))
		}
	}
	checkTold(t, g, criticals, alerts, within)
	checkFloodLedger(t, r, len(g.contents), alerts)
	t.Logf("%d calls, at most %d in a minute, %d messages; the last after %v", len(g.calls), g.most(), len(g.contents), g.at[len(g.at)-1].Sub(g.calls[0]))
}

var times = regexp.MustCompile(`(?m)×(\d+)(?:: (.*))?$`)

// checkTold demands that every alert is named or counted: a message of its own names its key; each line of a digest
// says how many it tells, names some and counts the rest.
func checkTold(t *testing.T, g *group, criticals map[string]time.Time, alerts int, within time.Duration) {
	t.Helper()
	told, named := 0, map[string]bool{}
	for i, content := range g.contents {
		digest := strings.Contains(content, "[DIGEST]") || strings.Contains(content, "[汇总]")
		if !digest {
			told++
		}
		for _, m := range times.FindAllStringSubmatch(content, -1) {
			n, _ := strconv.Atoi(m[1])
			told += n
			list, rest, counted := strings.Cut(m[2], " …+")
			keys := strings.Split(list, "; ")
			left, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
			if m[2] == "" {
				keys, left = nil, n
			}
			if len(keys)+left != n || counted && left == 0 {
				t.Errorf("%d keys named and %d counted of %d: %s", len(keys), left, n, m[0])
			}
		}
		for _, key := range regexp.MustCompile(`client\.ip=([0-9.]+)`).FindAllStringSubmatch(content, -1) {
			if named[key[1]] {
				t.Errorf("%s is named twice", key[1])
			}
			named[key[1]] = true
			if born, ok := criticals[key[1]]; ok {
				if late := g.at[i].Sub(born); late > within {
					t.Errorf("a critical alert was told %v late", late)
				}
				delete(criticals, key[1])
			}
		}
	}
	if told != alerts {
		t.Errorf("%d alerts told, expected %d", told, alerts)
	}
	if len(criticals) > 0 {
		t.Errorf("critical alerts are not named: %v", criticals)
	}
}

// checkFloodLedger demands that every entry is sent, and that the ledger knows as many messages as were accepted.
func checkFloodLedger(t *testing.T, r *rig, messages, alerts int) {
	t.Helper()
	sent, ids := 0, map[string]bool{}
	for id, doc := range r.store.all("im-notify-*") {
		var d struct {
			IM struct {
				Notify struct{ State, Digest string }
			} `json:"im"`
		}
		if err := json.Unmarshal(doc, &d); err != nil {
			t.Fatal(err)
		}
		if d.IM.Notify.State == "sent" {
			sent++
		}
		if d.IM.Notify.Digest != "" {
			id = d.IM.Notify.Digest
		}
		ids[id] = true
	}
	if sent != alerts || len(ids) != messages {
		t.Errorf("the ledger has %d sent in %d messages, expected %d in %d", sent, len(ids), alerts, messages)
	}
}
