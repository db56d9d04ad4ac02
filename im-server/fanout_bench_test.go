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
			want := f.counts.out.Load()
			b.ResetTimer()
			for i := range b.N {
				m := cluster.Message{Topic: "r:r", ID: fmt.Sprint(i), From: "x", At: f.now().UnixMilli(), Body: []byte(`"a message of some length, as people write them"`)}
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
			b.ReportMetric(float64(b.N*members)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}
