package imserver

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"pgregory.net/rapid"

	"imwatch/im-server/protocol"
)

// peer is a client that loses its connection, goes on at any node and keeps an account of what it was given.
type peer struct {
	t       *rapid.T
	user    string
	ws      *client // nil: its connection is lost
	hello   protocol.Hello
	seq     int64               // last number it has
	seen    map[string]bool     // from and id
	got     map[string][]string // ids by topic, in the order of their first coming
	waits   string              // for what
	doubles int
}

func (p *peer) connect(f *fixture, want bool) {
	query := ""
	if p.hello.SessionID != "" {
		query = fmt.Sprintf("?session_id=%s&epoch=%s&seq=%d", p.hello.SessionID, p.hello.Epoch, p.seq)
	}
	p.ws = f.dialWith(p.user, nil, query)
	p.hello = p.ws.hello
	if p.hello.Resumed != want || p.hello.Seq != p.seq {
		p.t.Fatalf("%s came with %d, and the server says %+v", p.user, p.seq, p.hello)
	}
}

func (p *peer) lose() {
	_ = p.ws.tcp().SetLinger(0)
	_ = p.ws.Close()
	p.ws = nil
}

// read takes one envelope and enters a message into the account.
func (p *peer) read() protocol.Envelope {
	e, err := p.ws.read()
	if err != nil {
		p.t.Fatalf("%s has %v, number %d, and waits for %s: %v", p.user, p.got, p.seq, p.waits, err)
	}
	switch m := e.Payload.(type) {
	case *protocol.Gap, *protocol.Error:
		p.t.Fatalf("%s was told %+v", p.user, m)
	case *protocol.Message:
		if e.Seq != p.seq+1 {
			p.t.Fatalf("%s was given number %d after %d", p.user, e.Seq, p.seq)
		}
		p.seq = e.Seq
		if key := m.From + " " + e.ID; p.seen[key] {
			p.doubles++
		} else {
			p.seen[key] = true
			topic := "u:" + m.To
			if m.Room != "" {
				topic = "r:" + m.Room
			}
			p.got[topic] = append(p.got[topic], e.ID)
		}
	}
	return e
}

func (p *peer) request(text, id string) {
	p.waits = "the ack of " + id
	p.ws.send(text)
	for {
		if a, ok := p.read().Payload.(*protocol.Ack); ok && a.Ref == id {
			return
		}
	}
}

func publishText(id, topic string) string {
	where := "to"
	if topic[:2] == "r:" {
		where = "room"
	}
	return fmt.Sprintf(`{"v":1,"type":"publish","id":%q,"payload":{%q:%q,"body":1}}`, id, where, topic[2:])
}

// crowd is clients on two nodes and what they must be given.
type crowd struct {
	t     *rapid.T
	nodes []*fixture
	peers []*peer
	room  string
	said  map[string][]string // ids by topic, in order
	froms map[string]string
	next  int
}

// say publishes, once or again when its connection is lost before the ack.
func (w *crowd) say(p *peer, topic string, lossy bool, node *fixture) {
	w.next++
	id := fmt.Sprintf("m-%d", w.next)
	if lossy {
		p.ws.send(publishText(id, topic))
		p.lose()
		p.connect(node, true)
	}
	p.request(publishText(id, topic), id)
	w.said[topic] = append(w.said[topic], id)
	w.froms[id] = p.user
}

func (w *crowd) step() {
	p := rapid.SampledFrom(w.peers).Draw(w.t, "peer")
	node := rapid.SampledFrom(w.nodes).Draw(w.t, "node")
	if p.ws == nil {
		p.connect(node, true)
		return
	}
	switch rapid.IntRange(0, 9).Draw(w.t, "step") {
	case 0, 1:
		p.lose()
	case 2: // a newer connection takes the session from one that is well
		p.connect(node, true)
	case 3, 4:
		p.ws.send(fmt.Sprintf(`{"v":1,"type":"ack","payload":{"seq":%d}}`, p.seq))
	default:
		topics := []string{w.room, "u:" + rapid.SampledFrom(w.peers).Draw(w.t, "to").user}
		w.say(p, rapid.SampledFrom(topics).Draw(w.t, "topic"), rapid.Bool().Draw(w.t, "lossy"), node)
	}
}

// end lets everybody have everything, and holds it to what was said.
func (w *crowd) end() {
	for _, p := range w.peers {
		if p.ws == nil {
			p.connect(w.nodes[0], true)
		}
	}
	last := map[string]string{}
	for _, topic := range append([]string{w.room}, "u:"+w.peers[0].user, "u:"+w.peers[1].user, "u:"+w.peers[2].user) {
		w.say(w.peers[2], topic, false, nil)
		last[topic] = w.said[topic][len(w.said[topic])-1]
	}
	for _, p := range w.peers {
		for _, topic := range []string{w.room, "u:" + p.user} {
			want := slices.DeleteFunc(slices.Clone(w.said[topic]), func(id string) bool { return topic == w.room && w.froms[id] == p.user })
			p.waits = fmt.Sprintf("%v of %s", want, topic)
			for len(p.got[topic]) < len(want) {
				p.read()
			}
			if !slices.Equal(p.got[topic], want) {
				w.t.Fatalf("of %s %s was given %v, want %v", topic, p.user, p.got[topic], want)
			}
		}
	}
	for _, p := range w.peers {
		_ = p.ws.Close()
	}
}

// manyEnv asks for as many draws as rapid likes.
const manyEnv = "IMWATCH_TEST_MANY"

// TestSessionsLoseNothing draws any order of publishing, losses of connections, resumption on either node and
// acknowledgements: everybody is given each message of each topic once, after doubles are dropped, in the order in
// which they were said, and nobody is told of a gap.
func TestSessionsLoseNothing(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	nodes := []*fixture{sharing(t, server, "one"), sharing(t, server, "two")}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		if run++; run > 8 && os.Getenv(manyEnv) == "" {
			return
		}
		w := &crowd{t: rt, nodes: nodes, room: fmt.Sprintf("r:%d", run), said: map[string][]string{}, froms: map[string]string{}}
		for i := range 3 {
			p := &peer{t: rt, user: fmt.Sprintf("p%d-%d", i, run), seen: map[string]bool{}, got: map[string][]string{}}
			p.connect(nodes[i%2], false)
			p.request(fmt.Sprintf(`{"v":1,"type":"subscribe","id":"s","payload":{"room":%q}}`, w.room[2:]), "s")
			w.peers = append(w.peers, p)
		}
		for _, p := range w.peers {
			saved(t, nodes[0], p.hello.SessionID)
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			w.step()
		}
		w.end()
	})
	for _, f := range nodes {
		f.stop()
		f.empty()
	}
}

// saved waits until other nodes can know a session with its room.
func saved(t *testing.T, f *fixture, id string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if rec, err := f.cluster.LoadSession(t.Context(), id); err == nil && len(rec.Rooms) == 1 {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("the session was never saved")
		}
	}
}
