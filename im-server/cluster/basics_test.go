package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// heard is a Receiver that notes what it is handed.
type heard struct{ lines []string }

func (h *heard) Deliver(m *Message) {
	h.lines = append(h.lines, fmt.Sprintf("%s %d %s", m.Topic, m.Offset, m.Body))
}
func (h *heard) Lost([]string)               {}
func (h *heard) Ask([]byte) ([]byte, error)  { return nil, nil }
func (h *heard) Changed(bool, string, error) {}
func (h *heard) Seen(user string, on bool)   { h.lines = append(h.lines, fmt.Sprint(user, " ", on)) }

func TestMemoryKeepsAndForgets(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	m := NewMemory(Options{Keep: Keep{Messages: 3, Age: time.Hour, Dedupe: 10 * time.Minute, Positions: time.Hour}, Now: func() time.Time { return now }})
	h := &heard{}
	m.Bind(h)
	if err := m.Follow(t.Context(), "r:a"); err != nil {
		t.Fatal(err)
	}
	say := func(id string) Receipt {
		t.Helper()
		r, err := m.Publish(t.Context(), Message{Topic: "r:a", ID: id, From: "u", At: now.UnixMilli(), Body: []byte(id)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := say("1")
	for i := 2; i <= 5; i++ {
		say(fmt.Sprint(i))
	}
	if r := say("2"); !r.Duplicate || r.Offset != 2 || r.Epoch != first.Epoch {
		t.Errorf("a second publish gave %+v", r)
	}
	if diff := cmp.Diff([]string{"r:a 1 1", "r:a 2 2", "r:a 3 3", "r:a 4 4", "r:a 5 5"}, h.lines); diff != "" {
		t.Errorf("handed out (-want +got):\n%s", diff)
	}
	offsets := func(after int64, limit int) (first, last int64, got []int64) {
		t.Helper()
		p, err := m.Read(t.Context(), "r:a", after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, msg := range p.Messages {
			got = append(got, msg.Offset)
		}
		return p.First, p.Last, got
	}
	for _, c := range []struct {
		after int64
		limit int
		want  []int64
	}{{0, 9, []int64{3, 4, 5}}, {3, 1, []int64{4}}, {5, 9, nil}, {9, 9, nil}} {
		first, last, got := offsets(c.after, c.limit)
		if diff := cmp.Diff(c.want, got); diff != "" || first != 3 || last != 5 {
			t.Errorf("after %d: %d to %d, %v", c.after, first, last, got)
		}
	}
	now = now.Add(21 * time.Minute)
	m.Sweep(now)
	if r := say("2"); r.Duplicate || r.Offset != 6 {
		t.Errorf("after the time of deduplication a publish gave %+v", r)
	}
	m.Unfollow("r:a")
	now = now.Add(2 * time.Hour)
	m.Sweep(now)
	if first, last, got := offsets(0, 9); first != 1 || last != 0 || got != nil {
		t.Errorf("%d to %d, %v are left", first, last, got)
	}
	if r := say("7"); r.Epoch == first.Epoch || r.Offset != 1 {
		t.Errorf("a topic that was forgotten went on: %+v", r)
	}
}

func TestMemoryOfInboxes(t *testing.T) {
	t.Parallel()
	m := NewMemory(Options{Keep: DefaultKeep()})
	at := func(device string) int64 {
		t.Helper()
		_, n, err := m.Inbox(t.Context(), "u", device)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, s := range []struct {
		device, epoch string
		offset        int64
	}{{"phone", "e", 5}, {"phone", "e", 3}, {"web", "e", 2}} {
		if err := m.SetInbox(t.Context(), "u", s.device, s.epoch, s.offset); err != nil {
			t.Fatal(err)
		}
	}
	if at("phone") != 5 || at("web") != 2 || at("new") != 5 {
		t.Errorf("phone %d, web %d, a new device %d", at("phone"), at("web"), at("new"))
	}
	if err := m.SetInbox(t.Context(), "u", "phone", "f", 1); err != nil || at("phone") != 1 {
		t.Errorf("in another epoch offsets begin anew: %d, %v", at("phone"), err)
	}
}

func TestMemoryOfPresence(t *testing.T) {
	t.Parallel()
	m := NewMemory(Options{Keep: DefaultKeep()})
	h := &heard{}
	m.Bind(h)
	for _, do := range []func() error{
		func() error { return m.Enter(t.Context(), "u", Device{Connection: "c0"}) },
		func() error { return m.Watch(t.Context(), "u") },
		func() error { return m.Enter(t.Context(), "u", Device{Connection: "c1"}) },
		func() error { return m.Leave(t.Context(), "u", "c0") },
		func() error { return m.Leave(t.Context(), "u", "c1") },
		func() error { return m.Leave(t.Context(), "u", "c1") },
		func() error { return m.Enter(t.Context(), "u", Device{Connection: "c2"}) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"u false", "u true"}, h.lines); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
	if d, err := m.Devices(t.Context(), "u"); err != nil || len(d) != 1 || d[0].Connection != "c2" {
		t.Errorf("%+v, %v", d, err)
	}
}
