package imserver

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"imwatch/im-server/cluster"
)

// BenchmarkFanOut publishes to a room of so many members on real sockets, whose clients share the machine. One operation
// is one message, written to all.
func BenchmarkFanOut(b *testing.B) {
	for _, members := range []int{100, 5000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			cfg := testConfig(b)
			cfg.Sessions.AckTimeout, cfg.Sessions.Messages = time.Hour, 16
			f := serve(b, cfg, Deps{})
			for i := range members {
				c := f.dial(fmt.Sprintf("u-%d", i))
				c.join("r")
				go func() { _, _ = io.Copy(io.Discard, c.NetConn()) }()
			}
			want, n := f.counts.out.Load(), 0
			for b.Loop() {
				n++
				m := cluster.Message{Topic: "r:r", ID: fmt.Sprint(n), From: "x", At: f.now().UnixMilli(), Body: []byte(`"a message of some length, as people write them"`)}
				if _, err := f.cluster.Publish(b.Context(), m); err != nil {
					b.Fatal(err)
				}
				// No more than a few messages under way.
				for want += int64(members); f.counts.out.Load() < want-int64(8*members); {
					runtime.Gosched()
				}
			}
			for f.counts.out.Load() < want {
				runtime.Gosched()
			}
			b.ReportMetric(float64(n*members)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkBurst sends what is echoed, and what is published to oneself, so many at a time over a real socket, and waits
// for all to be answered. One operation is one message.
func BenchmarkBurst(b *testing.B) {
	for name, text := range map[string]string{
		"echo": `{"v":1,"type":"echo","id":"%019d","payload":{"text":"a message of some length, as people write them"}}`,
		"own":  `{"v":1,"type":"publish","id":"%019d","payload":{"to":"u","body":"a message of some length, as people write them"}}`,
	} {
		for _, flight := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/%d", name, flight), func(b *testing.B) {
				cfg := testConfig(b)
				cfg.Limits.MessageRate, cfg.Sessions.AckTimeout, cfg.Sessions.Messages = 0, time.Hour, 16
				f := serve(b, cfg, Deps{})
				c := f.dial("u")
				go func() { _, _ = io.Copy(io.Discard, c.NetConn()) }()
				answers := int64(1)
				if name == "own" {
					answers = 2 // the acknowledgement and the message
				}
				want, n := f.counts.out.Load(), 0
				var wire []byte
				b.ReportAllocs()
				for b.Loop() {
					n++
					if wire = append(wire, masked(fin|1, fmt.Sprintf(text, n))...); n%flight != 0 {
						continue
					}
					if _, err := c.tcp().Write(wire); err != nil {
						b.Fatal(err)
					}
					wire = wire[:0]
					for want += answers * int64(flight); f.counts.out.Load() < want; {
						runtime.Gosched()
					}
				}
			})
		}
	}
}
