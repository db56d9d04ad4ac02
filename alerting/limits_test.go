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
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/route"
	"imwatch/alerting/sms"
	"imwatch/event"

	"github.com/sirupsen/logrus"
)

// gateway plays an SMS gateway in fake time.
type gateway struct {
	mu    sync.Mutex
	texts map[string][]string
	at    map[string][]time.Time
}

func (g *gateway) RoundTrip(q *http.Request) (*http.Response, error) {
	var m struct{ To, Text string }
	if err := json.NewDecoder(q.Body).Decode(&m); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.texts[m.To], g.at[m.To] = append(g.texts[m.To], m.Text), append(g.at[m.To], time.Now())
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte("{}"))), Request: q}, nil
}

// most gives the greatest number of texts to a number in any stretch.
func (g *gateway) most(number string, stretch time.Duration) int {
	most := 0
	for i, from := range g.at[number] {
		n := 0
		for _, at := range g.at[number][i:] {
			if at.Sub(from) < stretch {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

var smsCount = regexp.MustCompile(`[0-9]+ (?:notifications|alerts)`)

// TestLimitsOfNumbers: 120 alerts in ten minutes, and a critical one each hour, to two receivers that have a number in common. No number
// gets more in a minute or a day than it may, what is too much is counted in one text, and critical ones do not wait.
func TestLimitsOfNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Sweep = time.Hour // nobody leaves anything behind
		g := &gateway{texts: map[string][]string{}, at: map[string][]time.Time{}}
		for name, numbers := range map[string][]string{"duty": {"+8613800000001"}, "boss": {"+8613800000001", "+8613800000002"}} {
			rec := alerting.NewReceiver(name)
			c := sms.DefaultConfig()
			c.URL, c.Numbers, c.JSON = "http://sms.example/send", numbers, `{"to": {{json .Number}}, "text": {{json .Text}}}`
			c.PerMinute, c.PerDay, c.Reserve = 4, 40, 2
			rec.SMS = &c
			r.cfg.Receivers = append(r.cfg.Receivers, rec)
		}
		r.cfg.Route = route.Config{
			RepeatInterval: 240 * time.Hour,
			Routes:         []route.Config{{Match: []string{"severity = critical"}, Receivers: []string{"boss"}}, {Receivers: []string{"duty"}}},
		}
		log := logrus.New()
		log.SetOutput(io.Discard)
		a, err := alerting.New(r.cfg, alerting.Deps{Bus: r.bus, Store: r.store, Log: log, HTTP: &http.Client{Transport: g}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		for i := range 120 {
			al := state(fmt.Sprint("w", i), event.StateFiring, time.Now().UTC(), 0)
			al.RuleID, al.RuleName = "rule-w", "Rule w"
			r.produce(al)
			pass(5 * time.Second)
		}
		began := time.Now()
		for i := range 2 {
			al := state(fmt.Sprint("c", i), event.StateFiring, time.Now().UTC(), 0)
			al.Severity = "critical"
			r.produce(al)
			pass(time.Hour)
		}
		pass(3 * time.Hour)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for _, number := range []string{"+8613800000001", "+8613800000002"} {
			if m, d := g.most(number, time.Minute), g.most(number, 24*time.Hour); m > 4 || d > 40 {
				t.Errorf("%s got %d in a minute and %d in a day", number, m, d)
			}
		}
		if got := g.at["+8613800000002"]; len(got) != 2 || got[0].Sub(began) > 2*time.Second || got[1].Sub(began) > time.Hour+2*time.Second {
			t.Errorf("the critical ones came at %v, began %v", got, began)
		}
		told := 0
		for _, text := range g.texts["+8613800000001"] {
			if n := smsCount.FindString(text); n != "" {
				count, _ := strconv.Atoi(n[:bytes.IndexByte([]byte(n), ' ')])
				told += count
			} else {
				told++
			}
		}
		if told != 122 {
			t.Errorf("%d alerts told: %q", told, g.texts["+8613800000001"])
		}
		for what, n := range r.ledger() {
			if what != "sent accepted" || n != 122 {
				t.Errorf("%d are %s", n, what)
			}
		}
		t.Logf("%d texts for 120 alerts", len(g.at["+8613800000001"]))
	})
}
