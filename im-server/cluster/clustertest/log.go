package clustertest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/im-server/cluster"
)

// logModel is a log as simple as can be.
type logModel struct {
	keep   cluster.Keep
	topics map[string]*topicModel
}

type topicModel struct {
	epoch    string
	last     int64
	messages []cluster.Message
	known    map[string]knownModel
}

type knownModel struct {
	offset int64
	at     time.Time
}

func (m *logModel) topic(name string) *topicModel {
	if m.topics[name] == nil {
		m.topics[name] = &topicModel{known: map[string]knownModel{}}
	}
	return m.topics[name]
}

func (tm *topicModel) trim(keep cluster.Keep, now time.Time) {
	for len(tm.messages) > 0 && (len(tm.messages) > keep.Messages || tm.messages[0].At < now.Add(-keep.Age).UnixMilli()) {
		tm.messages = tm.messages[1:]
	}
}

// publish says whether a receipt is right, and takes the message up. Between one and two times the time of deduplication a
// message may be known or not.
func (m *logModel) publish(t tb, msg cluster.Message, r cluster.Receipt, now time.Time) {
	t.Helper()
	tm := m.topic(msg.Topic)
	key := msg.From + " " + msg.ID
	k, published := tm.known[key]
	age := now.Sub(k.at)
	if tm.epoch != "" && r.Epoch != tm.epoch || r.Epoch == "" {
		t.Fatalf("%s has the epoch %q, not %q", msg.Topic, r.Epoch, tm.epoch)
	}
	tm.epoch = r.Epoch
	switch {
	case r.Duplicate:
		if !published || age >= 2*m.keep.Dedupe || r.Offset != k.offset {
			t.Fatalf("%s is no duplicate with offset %d: %v, %+v, %v ago", key, r.Offset, published, k, age)
		}
	default:
		if published && age < m.keep.Dedupe {
			t.Fatalf("%s was published %v ago, and was not known", key, age)
		}
		if r.Offset != tm.last+1 {
			t.Fatalf("%s has the offset %d behind %d", key, r.Offset, tm.last)
		}
		tm.last++
		tm.known[key] = knownModel{tm.last, now}
		msg.Epoch, msg.Offset = r.Epoch, r.Offset
		tm.messages = append(tm.messages, msg)
		tm.trim(m.keep, now)
	}
}

func (m *logModel) read(topic string, after int64, limit int, now time.Time) cluster.Page {
	tm := m.topic(topic)
	tm.trim(m.keep, now)
	p := cluster.Page{Epoch: tm.epoch, First: tm.last - int64(len(tm.messages)) + 1, Last: tm.last}
	for _, msg := range tm.messages {
		if msg.Offset > after && len(p.Messages) < limit {
			p.Messages = append(p.Messages, msg)
		}
	}
	return p
}

// testLog holds random publishing, reading and following on several nodes to the model.
func testLog(t *testing.T, f Factory) {
	t.Helper()
	check(t, f, smallKeep, []string{"a", "b"}, func(t *rapid.T, p *party) {
		m := &logModel{keep: smallKeep, topics: map[string]*topicModel{}}
		follows := map[*node]map[string][]int64{} // by topic: the offsets that must have come
		before := map[string]int64{}              // by node and topic: where it stood when it was followed
		for _, n := range p.nodes {
			follows[n] = map[string][]int64{}
		}
		topics := rapid.SampledFrom([]string{"r:1", "u:a}b", "g:all"})
		actions := map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				msg := cluster.Message{
					Topic: topics.Draw(t, "topic"), From: rapid.SampledFrom([]string{"al", "a", "l"}).Draw(t, "from"),
					ID: rapid.StringMatching(`l?[0-9]`).Draw(t, "id"), At: p.now().UnixMilli(),
					Session: rapid.SampledFrom([]string{"", "s 1"}).Draw(t, "session"),
					Body:    []byte(rapid.String().Draw(t, "body")), Binary: rapid.Bool().Draw(t, "binary"),
				}
				r := must[cluster.Receipt](t)(p.some(t).Publish(context.Background(), msg))
				m.publish(t, msg, r, p.now())
				for n, by := range follows {
					offsets, ok := by[msg.Topic]
					if !ok || r.Duplicate {
						continue
					}
					by[msg.Topic] = append(offsets, r.Offset)
					n.await(t, fmt.Sprint(msg.Topic, r.Offset), func() bool {
						got := n.got[msg.Topic]
						return len(got) > 0 && got[len(got)-1].Offset == r.Offset
					})
					compareMessage(t, m, n, msg.Topic)
				}
			},
			"read": func(t *rapid.T) {
				topic, after := topics.Draw(t, "topic"), rapid.OneOf(rapid.Int64Range(0, 12), rapid.Just[int64](math.MaxInt64)).Draw(t, "after")
				limit := rapid.IntRange(0, 4).Draw(t, "limit")
				page := must[cluster.Page](t)(p.some(t).Read(context.Background(), topic, after, limit))
				want := m.read(topic, after, limit, p.now())
				if diff := cmp.Diff(want, page, emptyIsNil); diff != "" {
					t.Fatalf("%s after %d (-want +got):\n%s", topic, after, diff)
				}
			},
			"follow": func(t *rapid.T) {
				n, topic := p.some(t), topics.Draw(t, "topic")
				ok(t, n.Follow(context.Background(), topic))
				if follows[n][topic] == nil {
					follows[n][topic] = []int64{}
					before[n.name+topic] = m.topic(topic).last
				}
			},
			"unfollow": func(t *rapid.T) {
				n, topic := p.some(t), topics.Draw(t, "topic")
				n.Unfollow(topic)
				delete(follows[n], topic)
				n.note(func() { delete(n.got, topic) })
			},
			"": func(t *rapid.T) {
				for n, by := range follows {
					for topic, want := range by {
						got := n.offsets(topic)
						if p.Late {
							got = slices.DeleteFunc(got, func(at int64) bool { return at <= before[n.name+topic] })
						}
						if !slices.Equal(got, want) {
							t.Fatalf("%s heard %v of %s, not %v", n.name, got, topic, want)
						}
					}
				}
			},
		}
		if p.Advance != nil {
			actions["time"] = func(t *rapid.T) {
				p.Advance(rapid.SampledFrom([]time.Duration{time.Second, 50 * time.Second, 2 * time.Minute, 50 * time.Minute}).Draw(t, "time"))
			}
		}
		t.Repeat(actions)
	})
}

var emptyIsNil = cmp.Transformer("empty", func(b []byte) string { return string(b) })

func compareMessage(t tb, m *logModel, n *node, topic string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	messages := m.topic(topic).messages
	if len(messages) == 0 {
		return // too old already
	}
	got := *n.got[topic][len(n.got[topic])-1]
	if diff := cmp.Diff(messages[len(messages)-1], got, emptyIsNil); diff != "" {
		t.Fatalf("%s was handed (-want +got):\n%s", n.name, diff)
	}
}

func (n *node) offsets(topic string) []int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := []int64{}
	for _, m := range n.got[topic] {
		out = append(out, m.Offset)
	}
	return out
}

// testOneOrder lets several nodes publish into one topic at once, each message twice.
func testOneOrder(t *testing.T, f Factory) {
	t.Helper()
	keep := smallKeep
	keep.Messages = 10_000
	p := newParty(t, f, keep, "a", "b", "c")
	defer p.end()
	const senders, each = 8, 25
	for _, n := range p.nodes {
		ok(t, n.Follow(t.Context(), "r:1"))
	}
	var work sync.WaitGroup
	receipts := make([][]cluster.Receipt, 2*senders)
	for s := range 2 * senders {
		work.Go(func() {
			for i := range each {
				n := p.nodes[(s+i)%len(p.nodes)]
				r, err := n.Publish(t.Context(), cluster.Message{Topic: "r:1", From: name("u", s/2), ID: name("m", i), At: p.now().UnixMilli(), Body: []byte("{}")})
				if err != nil {
					t.Error(err)
				}
				receipts[s] = append(receipts[s], r)
			}
		})
	}
	work.Wait()
	page := must[cluster.Page](t)(p.nodes[0].Read(t.Context(), "r:1", 0, keep.Messages))
	if page.First != 1 || page.Last != senders*each || len(page.Messages) != senders*each {
		t.Fatalf("%d to %d, %d messages are kept", page.First, page.Last, len(page.Messages))
	}
	for _, n := range p.nodes {
		n.await(t, "all messages", func() bool { return len(n.got["r:1"]) == len(page.Messages) })
		for i, m := range page.Messages {
			if got := n.got["r:1"][i]; got.Offset != int64(i+1) || got.From != m.From || got.ID != m.ID {
				t.Fatalf("%s heard %+v as number %d, not %+v", n.name, got, i+1, m)
			}
		}
	}
	for s := range senders {
		for i := range each {
			one, two := receipts[2*s][i], receipts[2*s+1][i]
			if one.Offset != two.Offset || one.Epoch != two.Epoch || one.Duplicate == two.Duplicate || i > 0 && one.Offset <= receipts[2*s][i-1].Offset {
				t.Fatalf("sender %d, message %d: %+v and %+v", s, i, one, two)
			}
		}
	}
}

func testWhole(t *testing.T, f Factory) {
	t.Helper()
	p := newParty(t, f, smallKeep, "a", "b")
	defer p.end()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	big := make([]byte, 1<<20)
	for i, body := range [][]byte{all, big, {}} {
		msg := cluster.Message{Topic: "r:x y}{:", From: "a b ü\n", ID: name(" 1 ", i), At: p.now().UnixMilli(), Body: body, Binary: true}
		ok(t, p.nodes[1].Follow(t.Context(), msg.Topic))
		r := must[cluster.Receipt](t)(p.nodes[0].Publish(t.Context(), msg))
		msg.Epoch, msg.Offset = r.Epoch, r.Offset
		n := p.nodes[1]
		n.await(t, "the message", func() bool { return len(n.got[msg.Topic]) == i+1 })
		if diff := cmp.Diff(&msg, n.got[msg.Topic][i], emptyIsNil); diff != "" {
			t.Errorf("handed out (-want +got):\n%s", diff)
		}
		page := must[cluster.Page](t)(n.Read(t.Context(), msg.Topic, int64(i), 1))
		if diff := cmp.Diff([]cluster.Message{msg}, page.Messages, emptyIsNil); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
	}
}
