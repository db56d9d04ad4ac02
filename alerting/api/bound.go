package api

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

// bound is the rate of tokens that do not count, by address: so many at once, and one more each so often. Safe for concurrent use.
type bound struct {
	mu    sync.Mutex
	debts map[string]time.Time                 // when an address has paid for all that did not count
	good  map[[sha256.Size + 16]byte]time.Time // tokens that counted, with the address that they came from, and until when
}

func newBound() *bound {
	return &bound{debts: map[string]time.Time{}, good: map[[sha256.Size + 16]byte]time.Time{}}
}

const (
	wrongAtOnce = 10              // tokens that do not count, from one address
	wrongEvery  = 6 * time.Second // one more
	maxBound    = 10_000          // addresses and tokens that are remembered
	goodFor     = 24 * time.Hour
)

// network gives what is bounded: an address of IPv4, the /64 of one of IPv6, of which everybody has as many as he wants.
func network(from string) string {
	a, err := netip.ParseAddr(from)
	if err != nil || a.Unmap().Is4() {
		return from
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return from
	}
	return p.String()
}

func pair(from string, sum [sha256.Size]byte) (k [sha256.Size + 16]byte) {
	at := sha256.Sum256([]byte(network(from)))
	copy(k[:], sum[:])
	copy(k[sha256.Size:], at[:])
	return k
}

// waits says how long an address has to wait before another token of it is looked at; 0: it is.
func (b *bound) waits(from string, sum [sha256.Size]byte, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	debt := b.debts[b.place(from)].Sub(now)
	if debt <= (wrongAtOnce-1)*wrongEvery || now.Before(b.good[pair(from, sum)]) {
		return 0
	}
	return debt - (wrongAtOnce-1)*wrongEvery
}

// place gives where the debts of an address stand: where too many are remembered, the new ones share one place. b.mu is held.
func (b *bound) place(from string) string {
	n := network(from)
	if _, known := b.debts[n]; !known && len(b.debts) >= maxBound {
		return "others"
	}
	return n
}

// failed notes a token that does not count.
func (b *bound) failed(from string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.debts) >= maxBound {
		for n, paid := range b.debts {
			if !paid.After(now) {
				delete(b.debts, n)
			}
		}
	}
	n := b.place(from)
	paid := b.debts[n]
	if paid.Before(now) {
		paid = now
	}
	b.debts[n] = paid.Add(wrongEvery)
}

// passed notes a token that counts.
func (b *bound) passed(from string, sum [sha256.Size]byte, expires, now time.Time) {
	until := now.Add(goodFor)
	if !expires.IsZero() && expires.Before(until) {
		until = expires
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.good) >= maxBound {
		for k, end := range b.good {
			if !end.After(now) {
				delete(b.good, k)
			}
		}
	}
	if k := pair(from, sum); len(b.good) < maxBound || !b.good[k].IsZero() {
		b.good[k] = until
	}
}
