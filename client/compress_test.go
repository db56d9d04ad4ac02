package client_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/client"
	"imwatch/im-server/protocol"

	"github.com/gorilla/websocket"
)

// A client that offers compression speaks it with the real server: large envelopes go packed both ways.
func TestCompression(t *testing.T) {
	t.Parallel()
	for _, codec := range protocol.Codecs() {
		t.Run(codec.Name(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := realServer(t)
				with := func(o *client.Options) { o.Codec, o.Compress = codec, true }
				ann, bob := s.friend(t, "ann", with), s.friend(t, "bob", with)
				text := strings.Repeat("packed ", 5000)
				body, err := json.Marshal(text)
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range [][]byte{body, []byte(`"small"`)} {
					if _, err := bob.Publish(t.Context(), protocol.Publish{To: "ann", Body: b}); err != nil {
						t.Error(err)
					}
				}
				pass(time.Second)
				if got := ann.received(); len(got) != 2 || got[0] != "bob"+string(body) || got[1] != `bob"small"` {
					t.Errorf("%d messages came: %.100q", len(got), got)
				}
				for _, direction := range []string{"in", "out"} {
					plain, packed := s.counter(t, "im_server_compression_bytes_total", direction, "plain"), s.counter(t, "im_server_compression_bytes_total", direction, "packed")
					if plain < float64(len(text)) || packed == 0 || packed > plain/10 {
						t.Errorf("%s: %v bytes went as %v", direction, plain, packed)
					}
				}
				bye(t, ann, bob)
			})
		})
	}
}

// What unpacks to more than a client takes ends its connection, and no more memory is taken for it.
func TestBomb(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, func(w http.ResponseWriter, r *http.Request) {
			up := websocket.Upgrader{EnableCompression: true, Subprotocols: []string{protocol.SubprotocolJSON}}
			ws, err := up.Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer ws.Close()
			s := &peer{t: t, ws: ws, r: r}
			s.send(protocol.Envelope{Type: protocol.TypeHello, Payload: &protocol.Hello{ConnectionID: "c-1", SessionID: "s-1"}})
			_ = ws.WriteMessage(websocket.TextMessage, make([]byte, 2<<20)) // the client may hang up while it comes
			_, _, _ = ws.ReadMessage()
		})
		c, err := client.Dial(t.Context(), client.Options{URL: address, NetDial: p.dial, Compress: true, NoReconnect: true})
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "message_too_big") {
			t.Errorf("the client ended with %v", err)
		}
	})
}
