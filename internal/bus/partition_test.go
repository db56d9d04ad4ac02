package bus_test

import (
	"testing"

	"imwatch/internal/bus"
)

// TestPartition holds the partitioner to values that Kafka's Java client gives (Utils.murmur2 in its own tests).
func TestPartition(t *testing.T) {
	for key, hash := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		want := int(hash&0x7fffffff) % 1000
		if got := bus.Partition([]byte(key), 1000); got != want {
			t.Errorf("%q: partition %d, not %d", key, got, want)
		}
	}
}

func BenchmarkPartition(b *testing.B) {
	key := []byte("u00012345")
	for b.Loop() {
		bus.Partition(key, 12)
	}
}
