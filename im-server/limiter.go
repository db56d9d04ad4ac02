package imserver

import (
	"math"
	"net/netip"
	"sync"
	"time"
)

// connectLimiter is a token bucket for each address or user. Safe for concurrent use.
type connectLimiter[K comparable] struct {
	mu      sync.Mutex // guards the fields below
	rate    float64    // tokens a second; 0: no limit
	burst   float64
	buckets map[K]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxBuckets bounds the memory that an attack from many addresses takes, to some ten megabytes. Those beyond it share one
// bucket until the full ones are swept away.
const maxBuckets = 100_000

func newConnectLimiter[K comparable](rate float64, burst int) *connectLimiter[K] {
	return &connectLimiter[K]{rate: rate, burst: float64(burst), buckets: map[K]bucket{}}
}

// allow takes a token of a key, or says after how long there is one.
func (l *connectLimiter[K]) allow(key K, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate == 0 {
		return 0, true
	}
	b, known := l.buckets[key]
	if !known && len(l.buckets) >= maxBuckets {
		var rest K
		key = rest
		b, known = l.buckets[key]
	}
	if !known {
		b = bucket{l.burst, now}
	}
	b.tokens = l.level(b, now)
	b.at = now
	if b.tokens < 1 {
		l.buckets[key] = b
		return time.Duration(math.Ceil((1 - b.tokens) / l.rate * float64(time.Second))), false
	}
	b.tokens--
	l.buckets[key] = b
	return 0, true
}

// setRate changes the limits; keys keep what they have used.
func (l *connectLimiter[K]) setRate(rate float64, burst int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate, l.burst = rate, float64(burst)
}

// sweep forgets the keys whose bucket is full again.
func (l *connectLimiter[K]) sweep(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, b := range l.buckets {
		if l.level(b, now) >= l.burst {
			delete(l.buckets, key)
		}
	}
}

func (l *connectLimiter[K]) level(b bucket, now time.Time) float64 {
	return min(l.burst, b.tokens+max(0, now.Sub(b.at).Seconds())*l.rate)
}

// limiterKey gives what a bucket of an address stands for: an IPv6 client has a whole /64 to call from.
func limiterKey(ip string) netip.Addr {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}
