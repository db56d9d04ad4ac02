package imserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/im-server/protocol"
)

// idleConnections is how many connections BenchmarkIdleConnection holds: enough that the process itself does not count.
const idleConnections = 5000

// BenchmarkIdleConnection opens connections to a server in a process of its own and reports what each takes of its
// memory. Both processes need as many descriptors.
func BenchmarkIdleConnection(b *testing.B) {
	node := startChild(b, filepath.Join(b.TempDir(), "im-server.log"))
	defer node.kill()
	token := tokenFor(b, "u-1")
	dialer := websocket.Dialer{ReadBufferSize: 512, WriteBufferSize: 512}
	dial := func() *websocket.Conn {
		ws, res, err := dialer.Dial("ws://"+node.addr+protocol.Path+"?token="+token, nil)
		if err != nil {
			b.Fatal(err)
		}
		_ = res.Body.Close()
		if _, _, err := ws.ReadMessage(); err != nil {
			b.Fatal(err)
		}
		return ws
	}
	warm := dial()
	defer warm.Close()
	before := resident(b, node.cmd.Process.Pid)
	conns := make([]*websocket.Conn, 0, idleConnections)
	began := time.Now()
	for b.Loop() {
		for range idleConnections {
			conns = append(conns, dial())
		}
	}
	took := time.Since(began)
	b.ReportMetric(float64(resident(b, node.cmd.Process.Pid)-before)/float64(len(conns)), "B/conn")
	b.ReportMetric(float64(took.Microseconds())/float64(len(conns)), "µs/connect")
	for _, ws := range conns {
		_ = ws.Close()
	}
}

// resident reads the memory that a process holds, in bytes.
func resident(b *testing.B, pid int) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n << 10
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
