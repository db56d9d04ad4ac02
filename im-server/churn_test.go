package imserver

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"imwatch/im-server/ops"
)

// TestOperationsWhileConnectionsComeAndGo lists, looks at, follows and kicks connections and changes limits while
// connections come and go, and wants a log as whole as ever: the fixture looks at every pair, and at what is left.
func TestOperationsWhileConnectionsComeAndGo(t *testing.T) {
	t.Parallel()
	f := opsServer(t)
	done := make(chan struct{})
	var operators, clients sync.WaitGroup
	for _, act := range []func(i int){
		func(int) { f.conns("min_queue=0&limit=5") },
		func(int) { f.conns("state=closed&limit=1000") },
		func(i int) { f.operate("POST", fmt.Sprintf("/-/users/u-%d/kick", i%8), "") },
		func(i int) { f.operate("PATCH", "/-/config", fmt.Sprintf(`{"limits.rooms": %d}`, 1+i%50)) },
		func(i int) { f.operate("GET", fmt.Sprintf("/-/users/u-%d/trace?for=5ms", i%8), "") },
		func(int) { f.watch.look() },
		func(int) {
			for _, c := range f.conns("limit=3").Conns {
				res := f.operation(http.MethodGet, "/-/conns/"+c.ID, "")
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		},
	} {
		operators.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					act(i)
				}
			}
		})
	}
	for w := range 8 {
		clients.Go(func() {
			for range 12 {
				ws, res, err := websocket.DefaultDialer.Dial(f.url("ws", "?token="+tokenFor(t, fmt.Sprintf("u-%d", w))), nil)
				if err != nil {
					t.Errorf("dial: %v", err)
					return
				}
				_ = res.Body.Close()
				// It may be kicked at any moment: what it says may not be heard.
				_, _, _ = ws.ReadMessage()
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"v":1,"type":"subscribe","id":"1","payload":{"room":"r"}}`))
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"v":1,"type":"publish","id":"2","payload":{"room":"r","body":1}}`))
				_, _, _ = ws.ReadMessage()
				_ = ws.Close()
			}
		})
	}
	clients.Wait()
	close(done)
	operators.Wait()
	f.stop()
	var page ops.Page
	for c := range snapshots(f.hub.all()) {
		page.Conns = append(page.Conns, c)
	}
	if len(page.Conns) != 0 || f.imbalance() != 0 {
		t.Errorf("%d connections are left, the imbalance is %v", len(page.Conns), f.imbalance())
	}
}
