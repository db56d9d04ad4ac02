package imserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"imwatch/im-server/protocol"
)

// TestPackedFanOut: who agreed to it gets messages packed, once for all of them with each one's own number, in every
// codec; who did not gets them plain, and a small one is plain for everybody.
func TestPackedFanOut(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Compression.Enabled = true
	f := serve(t, cfg, Deps{})
	plain := f.dial("u-plain")
	plain.send(`{"v":1,"type":"subscribe","id":"s","payload":{"room":"r"}}`)
	plain.next()
	const offer = "Sec-WebSocket-Extensions: permessage-deflate"
	type member struct {
		*raw
		codec protocol.Codec
	}
	var packs []member
	for i := range 6 {
		codec := protocol.Codecs()[i/2]
		w := f.rawDial(t, "", offer, "Sec-WebSocket-Protocol: "+codec.Name(), fmt.Sprintf("Authorization: Bearer %s", tokenFor(t, fmt.Sprintf("u-%d", i))))
		if !strings.HasPrefix(w.extensions, "permessage-deflate; server_no_context_takeover; client_no_context_takeover") {
			t.Fatalf("the server agreed on %q", w.extensions)
		}
		w.next()
		op := byte(websocket.TextMessage)
		if codec.Binary() {
			op = websocket.BinaryMessage
		}
		w.send(t, masked(fin|op, string(codec.Append(nil, &protocol.Envelope{Type: protocol.TypeSubscribe, ID: "s", Payload: &protocol.Room{Room: "r"}}))))
		w.next()
		packs = append(packs, member{w, codec})
	}
	sender := f.dial("u-sender")
	sender.send(`{"v":1,"type":"subscribe","id":"s","payload":{"room":"r"}}`)
	sender.next()
	large := `"` + strings.Repeat("packed ", 1000) + `"`
	for n, body := range []string{large, `"small"`, large} {
		sender.send(fmt.Sprintf(`{"v":1,"type":"publish","id":"m-%d","payload":{"room":"r","body":%s}}`, n, body))
		for sender.next().Type != protocol.TypeAck { // the acknowledgement; the sender gets no message of its own
		}
		if got := plain.next(); got.Seq != int64(n+1) {
			t.Errorf("the plain one got %+v", got)
		}
		for _, m := range packs {
			kind, text, _ := strings.Cut(m.next(), " ")
			if wanted := body == large; wanted != (kind == "packed") {
				t.Fatalf("%s: a message of %d bytes came as %s", m.codec.Name(), len(body), kind)
			} else if wanted {
				_, text, _ = strings.Cut(text, " ")
			}
			e, err := m.codec.Decode([]byte(text), protocol.FromServer)
			if err != nil {
				t.Fatalf("%s: %v", m.codec.Name(), err)
			}
			p, ok := e.Payload.(*protocol.Message)
			if !ok || e.Seq != int64(n+1) || e.ID != fmt.Sprintf("m-%d", n) || !sameJSON(p.Body, []byte(body)) {
				t.Errorf("%s: %+v", m.codec.Name(), e)
			}
		}
	}
	// Two large messages in three codecs.
	if n := testutil.ToFloat64(f.metrics.abuse.WithLabelValues("packed")); n != 0 {
		t.Errorf("%v were refused", n)
	}
	out := testutil.ToFloat64(f.packing.outPlain)
	if least, most := float64(2*3*len(large)), 2*3*float64(len(large)+300); out < least || out > most {
		t.Errorf("%v bytes were packed, want some %v: each message once a codec", out, least)
	}
	if packed := testutil.ToFloat64(f.packing.outPacked); packed > out/10 {
		t.Errorf("%v bytes became %v", out, packed)
	}
}

func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// TestNothingIsAgreedOnWhereItIsOff: and then a client may pack nothing.
func TestNothingIsAgreedOnWhereItIsOff(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	w := f.rawUser(t, "u-1", "Sec-WebSocket-Extensions: permessage-deflate")
	if w.extensions != "" {
		t.Errorf("the server agreed on %q", w.extensions)
	}
	w.send(t, masked(fin|rsv1|1, packed("x")))
	if got := w.next(); got != "close 1002" {
		t.Errorf("a packed message got %s", got)
	}
}
