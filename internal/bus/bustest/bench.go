package bustest

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"testing"

	"imwatch/internal/bus"
)

// Benchmark measures producing and consuming messages of 600 bytes that compress as log lines do, in calls of several
// sizes. An op is a call of Produce, or reading 100,000 messages.
func Benchmark(b *testing.B, f Factory) {
	b.Helper()
	for _, call := range []int{1, 1000, 4000} {
		b.Run(fmt.Sprintf("Produce-%d", call), func(b *testing.B) { benchProduce(b, f, call) })
	}
	b.Run("Consume", func(b *testing.B) { benchConsume(b, f) })
}

func benchTopic(b *testing.B, f Factory) (bus.Bus, string) {
	b.Helper()
	log := f.Open(b)
	b.Cleanup(func() { _ = log.Close() })
	topic := "t." + rand.Text()[:16]
	err := log.EnsureTopics(b.Context(), bus.TopicSpec{Name: topic, Partitions: partitions, Bytes: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	return log, topic
}

// lines makes messages like those of im.lifecycle.
func lines(n int) []bus.Message {
	rnd := mathrand.New(mathrand.NewPCG(1, 2))
	out := make([]bus.Message, n)
	for i := range out {
		v := fmt.Appendf(nil, `{"@timestamp":"2026-08-01T10:%02d:%02d.%06dZ","event":{"id":"node-1-%016x-%010d","action":"connect",`+
			`"outcome":"success","dataset":"im.connection","kind":"event"},"log":{"level":"info"},"service":{"name":"im-server","node":`+
			`{"name":"node-1"}},"client":{"ip":"10.%d.%d.%d"},"user":{"id":"u%08d"},"im":{"connection":{"id":"%016x"},"session":{"id":"%016x"},`+
			`"platform":"android","app":{"version":"7.1.%d"}},"trace":{"id":"%016x%016x"},"http":{"request":{"method":"GET"},"response":`+
			`{"status_code":101}},"url":{"path":"/ws/connect"},"message":"connection established`,
			i/60%60, i%60, i, rnd.Uint64(), i, i%7, i%251, i%255, i%50_000, rnd.Uint64(), rnd.Uint64(), i%9, rnd.Uint64(), rnd.Uint64())
		for len(v) < 598 {
			v = append(v, " at the edge"...)
		}
		out[i] = bus.Message{Key: fmt.Appendf(nil, "u%08d", i%50_000), Value: append(v[:598], `"}`...)}
	}
	return out
}

func benchProduce(b *testing.B, f Factory, call int) {
	b.Helper()
	log, topic := benchTopic(b, f)
	ms := lines(20_000)
	at := 0
	for b.Loop() {
		if err := log.Produce(b.Context(), topic, ms[at:at+call]...); err != nil {
			b.Fatal(err)
		}
		at = (at + call) % len(ms)
	}
	b.ReportMetric(float64(call*b.N)/b.Elapsed().Seconds(), "msgs/s")
}

func benchConsume(b *testing.B, f Factory) {
	b.Helper()
	const all = 100_000
	log, topic := benchTopic(b, f)
	ms := lines(4000)
	for range all / len(ms) {
		if err := log.Produce(b.Context(), topic, ms...); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		c, err := log.Read(b.Context(), topic, nil)
		if err != nil {
			b.Fatal(err)
		}
		for left := all; left > 0; {
			ms, err := c.Fetch(b.Context(), 4000)
			if err != nil {
				b.Fatal(err)
			}
			left -= len(ms)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(all*b.N)/b.Elapsed().Seconds(), "msgs/s")
}
