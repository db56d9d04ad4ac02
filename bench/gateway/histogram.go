package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets 1.6 % wide. Safe for concurrent use.
type histogram struct{ buckets [64 << subBits]atomic.Int64 }

const subBits = 6

func (h *histogram) add(d time.Duration) {
	h.buckets[bucket(uint64(max(d, 0)))].Add(1) //nolint:gosec // not negative
}

func bucket(v uint64) int {
	n := bits.Len64(v)
	if n <= subBits {
		return int(v) //nolint:gosec // small
	}
	shift := n - subBits - 1
	return (shift+1)<<subBits | int(v>>shift)&(1<<subBits-1) //nolint:gosec // masked
}

// bound is the upper end of a bucket.
func bound(i int) time.Duration {
	if i < 1<<subBits {
		return time.Duration(i)
	}
	shift := i>>subBits - 1
	return time.Duration((1<<subBits | i&(1<<subBits-1) + 1) << shift)
}

// quantile gives the duration that the share q stays under; 0 if there is none.
func (h *histogram) quantile(q float64) time.Duration {
	total := h.count()
	if total == 0 {
		return 0
	}
	left := int64(q*float64(total) + 0.5)
	last := 0
	for i := range h.buckets {
		if n := h.buckets[i].Load(); n > 0 {
			last = i
			if left -= n; left <= 0 {
				break
			}
		}
	}
	return bound(last)
}

func (h *histogram) count() (n int64) {
	for i := range h.buckets {
		n += h.buckets[i].Load()
	}
	return n
}

// ms gives quantiles in milliseconds under names like p99_ms.
func (h *histogram) ms(r result, prefix string) {
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50_ms", 0.5}, {"p95_ms", 0.95}, {"p99_ms", 0.99}, {"max_ms", 1}} {
		r[prefix+q.name] = round(float64(h.quantile(q.q))/1e6, 3)
	}
}
