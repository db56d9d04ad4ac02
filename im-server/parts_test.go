package imserver

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // RFC 6455 wants it
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gorilla/websocket"
	"pgregory.net/rapid"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

func TestContinueTrace(t *testing.T) {
	t.Parallel()
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for header, goes := range map[string]bool{
		"00-" + trace + "-" + parent + "-01":                   true,
		"01-" + trace + "-" + parent + "-01-more":              true,
		"00-" + trace + "-" + parent + "-01-more":              false,
		"ff-" + trace + "-" + parent + "-01":                   false,
		"00-" + strings.ToUpper(trace) + "-" + parent + "-1":   false,
		"00-" + strings.Repeat("0", 32) + "-" + parent + "-01": false,
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01":  false,
		"00-" + trace + "-" + parent:                           false,
		"":                                                     false,
	} {
		got := continueTrace(header)
		if goes != (got.trace == trace && got.parent == parent) || !goes && got.parent != "" {
			t.Errorf("%q gives %+v", header, got)
		}
		if len(got.trace) != 32 || len(got.span) != 16 || !traceHex(got.trace) || !traceHex(got.span) {
			t.Errorf("%q gives %+v", header, got)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	listed := newOriginList([]string{"https://app.example.org", "https://*.Example.com", "http://localhost:3000"})
	same, all := newOriginList(nil), newOriginList([]string{"*"})
	for _, tt := range []struct {
		list   originList
		origin string
		want   bool
	}{
		{listed, "", true},
		{listed, "https://app.example.org", true},
		{listed, "HTTPS://APP.example.org", true},
		{listed, "https://app.example.org:8443", false},
		{listed, "http://app.example.org", false},
		{listed, "https://a.b.example.com", true},
		{listed, "https://example.com", false},
		{listed, "https://evil-example.com", false},
		{listed, "https://example.com.evil.org", false},
		{listed, "http://localhost:3000", true},
		{listed, "https://im.example.org", false},
		{listed, "null", false},
		{same, "https://im.example.org", true},
		{same, "https://other.example.org", false},
		{all, "https://other.example.org", true},
	} {
		if got := tt.list.allows(tt.origin, "im.example.org"); got != tt.want {
			t.Errorf("%q is %v", tt.origin, got)
		}
	}
}

// TestConnectLimiter holds the bucket to its promise: over any time no more than burst and rate times that time.
func TestConnectLimiter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate, burst := rapid.Float64Range(0.1, 100).Draw(t, "rate"), rapid.IntRange(1, 50).Draw(t, "burst")
		l := newConnectLimiter[string](rate, burst)
		start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
		now, taken := start, 0
		for _, gap := range rapid.SliceOfN(rapid.IntRange(0, 500), 1, 200).Draw(t, "gaps") {
			now = now.Add(time.Duration(gap) * time.Millisecond)
			wait, ok := l.allow("192.0.2.1", now)
			if ok {
				taken++
			} else if _, later := l.allow("192.0.2.1", now.Add(wait+time.Microsecond)); !later {
				t.Fatalf("nothing was free after the %v that were said", wait)
			} else {
				taken++
				now = now.Add(wait + time.Microsecond)
			}
			if most := float64(burst) + rate*now.Sub(start).Seconds(); float64(taken) > most+1e-6 {
				t.Fatalf("%d were let in, at most %v are allowed", taken, most)
			}
			if gap > 400 {
				l.sweep(now)
			}
		}
	})
	l := newConnectLimiter[netip.Addr](1, 1)
	now := time.Now()
	for ip, ok := range map[string]bool{"192.0.2.1": true, "2001:db8::1": true} {
		if _, got := l.allow(limiterKey(ip), now); got != ok {
			t.Errorf("%s was let in: %v", ip, got)
		}
	}
	for _, ip := range []string{"::ffff:192.0.2.1", "2001:db8::2"} { // the same clients
		if _, ok := l.allow(limiterKey(ip), now); ok {
			t.Errorf("%s has a bucket of its own", ip)
		}
	}
}

// TestFolder: whatever the refusals, the weights of the lines sum up to their number, and a client has one line for a
// reason in ten seconds.
func TestFolder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lastLine, weights := map[foldKey]time.Time{}, int64(0)
		f := newFolder(func(r refused, weight int64, at time.Time) {
			key := foldKey{r.client.ip, r.reason.Reason}
			if last, ok := lastLine[key]; ok && at.Sub(last) < foldEvery {
				t.Fatalf("%v has two lines within %v", key, at.Sub(last))
			}
			lastLine[key] = at
			weights += weight
		})
		now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
		reasons := []event.HandshakeReason{event.HandshakeRateLimitedIP, event.HandshakeTLS}
		added := int64(0)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "gap")) * time.Millisecond)
			f.flush(now, false)
			f.add(refused{
				refusal: refusal{reason: rapid.SampledFrom(reasons).Draw(t, "reason")},
				client:  clientInfo{ip: rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2"}).Draw(t, "ip")},
			}, now)
			added++
		}
		clear(lastLine) // the end writes whatever there is
		f.flush(now, true)
		if weights != added {
			t.Fatalf("the lines stand for %d of %d refusals", weights, added)
		}
	})
}

// TestSendQueue compares the queue with a plain list.
func TestSendQueue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q sendQueue
		var model []frame
		flying := 0
		for i := range rapid.IntRange(0, 300).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op < 6:
				f := frame{op: websocket.TextMessage, data: make([]byte, i), at: int64(i)}
				if rapid.IntRange(0, 9).Draw(t, "close") == 0 {
					f.op = websocket.CloseMessage
				}
				q.push(f)
				model = append(model, f)
			case op < 9 && flying == 0:
				most := rapid.IntRange(0, 2000).Draw(t, "most")
				batch := q.take(nil, most)
				for bytes := 0; flying < len(model); flying++ {
					if bytes += len(model[flying].data); flying > 0 && (bytes > most || model[flying-1].op == websocket.CloseMessage) {
						break
					}
				}
				if diff := cmp.Diff(model[:flying:flying], batch, cmp.AllowUnexported(frame{}), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("took (-want +got):\n%s", diff)
				}
			case op < 9:
				q.landed()
				model, flying = model[flying:], 0
			default:
				q.discard()
				model = model[:flying:flying]
			}
			bytes, age := 0, int64(0)
			for _, f := range model {
				bytes += len(f.data)
			}
			if len(model) > 0 {
				age = 1000 - model[0].at
			}
			if q.len() != len(model) || q.bytes != bytes || q.age(1000) != age {
				t.Fatalf("%d frames of %d bytes, age %d; want %d, %d, %d", q.len(), q.bytes, q.age(1000), len(model), bytes, age)
			}
		}
	})
}

// TestFrames reads what was framed with gorilla.
func TestFrames(t *testing.T) {
	t.Parallel()
	codec := protocol.JSON()
	for _, size := range []int{0, 1, 60, 90, 91, 92, 93, 125, 126, 127, 65_400, 65_480, 65_500, 65_535, 65_536, 70_000} {
		body := json.RawMessage(`"` + strings.Repeat("x", size) + `"`)
		e := protocol.Envelope{Type: protocol.TypeMessage, ID: "m", Payload: &protocol.Message{From: "a", To: "b", Body: body}}
		parts := codec.Split(&e)
		e.Seq = 12345
		frames := []frame{
			{op: websocket.TextMessage, msg: &encoded{Parts: parts}, seq: e.Seq},
			{op: websocket.BinaryMessage, data: body},
			{op: websocket.TextMessage, msg: &encoded{Parts: parts}, seq: e.Seq},
		}
		var wire []byte
		want := []string{string(codec.Append(nil, &e)), string(body), string(codec.Append(nil, &e))}
		for i := range frames {
			var n int
			if wire, n = appendFrame(wire, &frames[i], codec); n != len(want[i]) {
				t.Errorf("%d bytes are said to be %d", len(want[i]), n)
			}
		}
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			if req, err := http.ReadRequest(bufio.NewReader(server)); err == nil {
				fmt.Fprintf(server, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(req))
			}
			_, _ = server.Write(wire) // the reader says what is missing
		}()
		dialer := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return client, nil }}
		ws, res, err := dialer.Dial("ws://pipe/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		for i, f := range frames {
			op, got, err := ws.ReadMessage()
			if err != nil || op != f.op || string(got) != want[i] {
				t.Errorf("size %d, frame %d: read %d bytes of kind %d, %v; want %d", size, i, len(got), op, err, len(want[i]))
			}
		}
		_ = ws.Close()
	}
}

func acceptKey(r *http.Request) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 wants it
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestMessages(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Limits.Rooms, cfg.Log.Level = 2, "debug"
	f := serve(t, cfg, Deps{})
	ann, phone, bob := f.dial("ann"), f.dial("bob"), f.dial("bob")
	expect := func(c *client, wanted string) {
		t.Helper()
		e := c.next()
		e.TS = 0
		if got := string(protocol.JSON().Append(nil, &e)); got != wanted {
			t.Errorf("got  %s\nwant %s", got, wanted)
		}
	}
	ann.send(`{"v":1,"type":"ping","id":"1"}`)
	expect(ann, `{"v":1,"type":"pong","id":"1"}`)
	ann.send(`{"v":1,"type":"echo","id":"2","payload":{"a":[1,"}"]}}`)
	expect(ann, `{"v":1,"type":"echo","id":"2","payload":{"a":[1,"}"]}}`)
	ann.send(`{"v":1,"type":"publish","id":"3","payload":{"to":"bob","body":"hi"}}`)
	expect(ann, `{"v":1,"type":"ack","payload":{"ref":"3","delivered":2}}`)
	for _, c := range []*client{phone, bob} {
		expect(c, `{"v":1,"type":"message","id":"3","seq":1,"payload":{"from":"ann","to":"bob","body":"hi"}}`)
	}
	ann.send(`{"v":1,"type":"publish","id":"4","payload":{"to":"nobody","body":1}}`)
	expect(ann, `{"v":1,"type":"ack","payload":{"ref":"4","delivered":0}}`)
	ann.send(`{"v":1,"type":"publish","id":"5","payload":{"room":"r","body":1}}`)
	expect(ann, `{"v":1,"type":"error","payload":{"code":"not_member","text":"payload.room: subscribe to the room first","ref":"5"}}`)
	for i, c := range []*client{ann, bob} {
		c.send(fmt.Sprintf(`{"v":1,"type":"subscribe","id":"6%d","payload":{"room":"r"}}`, i))
		expect(c, fmt.Sprintf(`{"v":1,"type":"ack","payload":{"ref":"6%d","delivered":0}}`, i))
	}
	bob.send(`{"v":1,"type":"publish","id":"7","payload":{"room":"r","body":{"x":null}}}`)
	expect(bob, `{"v":1,"type":"ack","payload":{"ref":"7","delivered":1}}`)
	expect(ann, `{"v":1,"type":"message","id":"7","seq":1,"payload":{"from":"bob","room":"r","body":{"x":null}}}`)
	bob.send(`{"v":1,"type":"unsubscribe","id":"8","payload":{"room":"r"}}`)
	expect(bob, `{"v":1,"type":"ack","payload":{"ref":"8","delivered":0}}`)
	ann.send(`{"v":1,"type":"publish","id":"9","payload":{"room":"r","body":1}}`)
	expect(ann, `{"v":1,"type":"ack","payload":{"ref":"9","delivered":0}}`)
	for i, refused := range []struct{ send, code string }{
		{`{"v":1,"type":"hello"}`, "not_for_server"},
		{`{"v":2,"type":"ping"}`, "unsupported_version"},
		{`nonsense`, "bad_json"},
		{`{"v":1,"type":"ack","payload":{"seq":99}}`, "bad_field"},
		{`{"v":1,"type":"ack","payload":{"ref":"7"}}`, "unknown_field"},
	} {
		ann.send(refused.send)
		if e, ok := ann.next().Payload.(*protocol.Error); !ok || string(e.Code) != refused.code {
			t.Errorf("%d: %+v", i, e)
		}
	}
	if err := ann.WriteMessage(websocket.BinaryMessage, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if e, ok := ann.next().Payload.(*protocol.Error); !ok || e.Code != protocol.CodeNotText {
		t.Errorf("a binary message got %+v", e)
	}
	for i, room := range []string{"s", "t"} {
		ann.send(fmt.Sprintf(`{"v":1,"type":"subscribe","id":"j%d","payload":{"room":%q}}`, i, room))
	}
	expect(ann, `{"v":1,"type":"ack","payload":{"ref":"j0","delivered":0}}`)
	expect(ann, `{"v":1,"type":"error","payload":{"code":"too_many_rooms","text":"payload.room: leave another room first","ref":"j1"}}`)
	bob.send(`{"v":1,"type":"ack","payload":{"seq":1}}`)
	for _, c := range []*client{ann, phone, bob} {
		if err := c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		_ = c.closed()
	}
	want(t, f.end(bob), map[event.FieldID]string{event.FieldMessageUnacked: "0"})
	want(t, f.end(phone), map[event.FieldID]string{event.FieldMessageUnacked: "1", event.FieldMessagesOut: "2"})
	f.stop()
	if n := len(f.log.all(event.ActionMessageRejected)); n != 8 {
		t.Errorf("%d message_rejected lines", n)
	}
	joins, leaves := len(f.log.all(event.ActionJoin)), len(f.log.all(event.ActionLeave))
	if joins != 3 || leaves != 1 {
		t.Errorf("%d joins and %d leaves", joins, leaves)
	}
	f.empty()
}

// TestDocumentNamesWhatTheServerSays compares docs/protocol.md with the lists in the source.
func TestDocumentNamesWhatTheServerSays(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for _, r := range event.CloseReasons() {
		if r.Code >= 4000 && r.Code < 4500 && !strings.Contains(doc, fmt.Sprintf("| %d | `%s`", r.Code, r.Reason)) {
			t.Errorf("docs/protocol.md does not say %d %s", r.Code, r.Reason)
		}
		if r.Initiator == event.ByServer && r.Code != 0 && !strings.Contains(doc, "`"+r.Reason+"`") && r.Code != 1009 {
			t.Errorf("docs/protocol.md does not name %s", r.Reason)
		}
	}
	for _, r := range event.HandshakeReasons() {
		if r.Status != 0 && !strings.Contains(doc, "`"+r.Reason+"`") {
			t.Errorf("docs/protocol.md does not name %s", r.Reason)
		}
	}
	for _, typ := range protocol.Types() {
		if !strings.Contains(doc, "`"+string(typ)+"`") {
			t.Errorf("docs/protocol.md does not name the type %s", typ)
		}
	}
	if diff := cmp.Diff(true, strings.Contains(doc, fmt.Sprintf("every `heartbeat_ms` (%d s)", DefaultConfig().Heartbeat.Interval/time.Second))); diff != "" {
		t.Errorf("docs/protocol.md says another interval:\n%s", diff)
	}
}
