package imserver

import (
	"net"
	"strings"
	"testing"
)

// table is a listener, two connections of ours, one of somebody else's, one of another port, and one whose process is gone.
const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 101 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:1F90 0100007F:C351 08 00000000:00000000 00:00000000 00000000     0        0 102 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:1F90 0100007F:C352 01 00000000:00000000 00:00000000 00000000     0        0 103 1 0000000000000000 20 4 30 10 -1
   4: 0100007F:1F91 0100007F:C353 01 00000000:00000000 00:00000000 00000000     0        0 104 1 0000000000000000 20 4 30 10 -1
   5: 0100007F:1F90 0100007F:C354 06 00000000:00000000 03:000017A4 00000000     0        0 0 3 0000000000000000
`

func TestCountSockets(t *testing.T) {
	t.Parallel()
	ours := map[uint64]struct{}{100: {}, 101: {}, 102: {}, 104: {}}
	if n := countSockets(strings.NewReader(table), 8080, ours); n != 2 {
		t.Errorf("%d sockets", n)
	}
}

// FuzzCountSockets holds that no table counts more than it has lines.
func FuzzCountSockets(f *testing.F) {
	f.Add(table, 8080)
	f.Fuzz(func(t *testing.T, text string, port int) {
		if n := countSockets(strings.NewReader(text), port, map[uint64]struct{}{0: {}, 101: {}}); n > 1+strings.Count(text, "\n") {
			t.Fatalf("%q has %d", text, n)
		}
	})
}

// BenchmarkCountSockets counts 2,000 sockets with the system, as the server does every 30 s.
func BenchmarkCountSockets(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a benchmark
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for range 2000 {
		c, err := net.Dial("tcp", l.Addr().String()) //nolint:noctx // a benchmark
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
	}
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		b.Fatal("no TCP address")
	}
	for b.Loop() {
		if n, err := clientSockets(tcp.Port); err != nil || n != 2000 {
			b.Fatal(n, err)
		}
	}
}
