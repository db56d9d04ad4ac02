package acceptance

import (
	"bufio"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"imwatch/event"
)

// generated is a file of events of which every rule of testdata/alltypes finds something.
type generated struct {
	file  string
	count int
	last  time.Time // event time of the newest
}

// generator draws events of a small, troubled site.
type generator struct {
	draw  *rand.Rand
	start time.Time
	span  time.Duration
	users int
	seq   map[string]uint64 // by node
}

// generate writes count events over the span that ends at end. The lines of each node are in order but for a second;
// ids tell the order in which they were made.
func generate(t *testing.T, file string, count int, end time.Time, span time.Duration) generated {
	t.Helper()
	g := &generator{draw: rand.New(rand.NewPCG(4, 11)), start: end.Add(-span), span: span, users: max(200, count/200), seq: map[string]uint64{}} //nolint:gosec // the same events each time
	type line struct {
		arrives time.Duration
		text    []byte
	}
	lines := make([]line, 0, count)
	last := time.Time{}
	for i := range count {
		at := time.Duration(float64(span) * float64(i) / float64(count))
		e := g.event(at)
		if e.Time().After(last) {
			last = e.Time()
		}
		lines = append(lines, line{at + rand.N(time.Second), e.AppendJSON(nil)}) //nolint:gosec // any order within a second will do
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.arrives, b.arrives) })
	f, err := os.Create(file) //nolint:gosec // a file of the test
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for _, l := range lines {
		_, _ = w.Write(l.text) // Flush tells
		_ = w.WriteByte('\n')
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return generated{file, count, last}
}

// event draws what happens at some time after the start. Every ten minutes have their trouble.
func (g *generator) event(at time.Duration) *event.Event {
	tenth := int(at / (10 * time.Minute))
	minute := at % (10 * time.Minute) / time.Minute
	trouble := minute == 7
	node := fmt.Sprintf("im-%d", 1+g.draw.IntN(4))
	if minute == 4 && node == fmt.Sprintf("im-%d", 1+tenth%4) {
		node = "im-4" // one falls silent
	}
	user := g.draw.IntN(g.users)
	if g.draw.IntN(3) == 0 {
		user = g.draw.IntN(10)
	}
	ip := fmt.Sprintf("192.0.2.%d", user%60)
	if trouble && g.draw.IntN(2) == 0 {
		ip = fmt.Sprintf("198.51.100.%d", tenth)
	}
	action := g.action(trouble)
	e := &event.Event{}
	e.Begin(action, g.start.Add(at).Add(time.Duration(g.draw.IntN(1000))*time.Microsecond))
	g.seq[node]++
	e.SetText(event.FieldEventID, fmt.Sprintf("%s-1-%010d", node, g.seq[node]))
	e.SetText(event.FieldServiceNode, node)
	e.SetText(event.FieldUserID, fmt.Sprintf("user-%d", user))
	e.SetText(event.FieldClientIP, ip)
	e.SetText(event.FieldConnID, fmt.Sprintf("c-%d", g.draw.IntN(1_000_000)))
	if g.draw.IntN(20) == 0 {
		e.SetFloat(event.FieldSampleWeight, []float64{2, 10, 0.3, 0.1}[g.draw.IntN(4)])
	}
	g.details(e, action, user, tenth, trouble)
	return e
}

func (g *generator) action(trouble bool) event.Action {
	usual := []event.Action{
		event.ActionConnect, event.ActionConnect, event.ActionConnect, event.ActionDisconnect, event.ActionDisconnect, event.ActionHeartbeatMissed,
		event.ActionHeartbeatTimeout, event.ActionResume, event.ActionHandshakeFailure,
	}
	if trouble && g.draw.IntN(2) == 0 {
		return event.ActionHandshakeFailure
	}
	return usual[g.draw.IntN(len(usual))]
}

// details fills what the action has.
func (g *generator) details(e *event.Event, action event.Action, user, tenth int, trouble bool) {
	switch action.Code {
	case event.ActionHandshakeFailure.Code:
		reasons := []string{"token_expired", "token_signature", "node_full", "timeout"}
		reason := reasons[g.draw.IntN(len(reasons))]
		if trouble {
			reason = reasons[tenth%len(reasons)]
		}
		e.SetText(event.FieldEventReason, reason)
		if reason == "node_full" || reason == "timeout" {
			e.SetText(event.FieldLogLevel, event.LevelError)
		}
	case event.ActionConnect.Code:
		slow := int64(1)
		if trouble {
			slow = 4
		}
		e.SetInt(event.FieldEventDuration, slow*(10e6+g.draw.Int64N(90e6)))
		places := [][2]float64{{31.23, 121.47}, {31.2, 121.5}, {31.3, 121.4}, {52.52, 13.4}}
		place := places[user%3]
		if g.draw.IntN(40) == 0 {
			place = places[3]
		}
		if v, ok := event.Parse(event.GeoPoint, fmt.Sprintf("%v,%v", place[0], place[1])); ok {
			e.Set(event.FieldClientGeoLocation, v)
		}
		e.SetText(event.FieldDeviceID, fmt.Sprintf("device-%d-%d", user, g.draw.IntN(2+tenth)))
	case event.ActionHeartbeatMissed.Code:
		e.SetFloat(event.FieldHeartbeatRTT, float64(g.draw.IntN(250))+0.25)
	}
}
