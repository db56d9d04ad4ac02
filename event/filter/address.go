package filter

import (
	"net/netip"
	"strings"

	"imwatch/event"
)

// sameAddress compares addresses in any spelling; an IPv4 address is the same inside IPv6.
func sameAddress(text string) test {
	want, err := netip.ParseAddr(text)
	if err != nil {
		return func(*event.Value) bool { return false }
	}
	want = want.Unmap()
	if want.Is4() {
		plain := want.String() // of IPv4 there is one spelling
		return func(v *event.Value) bool {
			if strings.IndexByte(v.Text, ':') < 0 {
				return v.Text == plain
			}
			a, err := netip.ParseAddr(v.Text)
			return err == nil && a.Unmap() == want
		}
	}
	return func(v *event.Value) bool {
		if strings.IndexByte(v.Text, ':') < 0 {
			return false
		}
		a, err := netip.ParseAddr(v.Text)
		return err == nil && a == want
	}
}

// inPrefix says whether an address is in a network. As in Elasticsearch all addresses are of IPv6, those of IPv4 being
// ::ffff:0:0/96 there; so ::/0 has them all.
func inPrefix(s string) test {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return func(*event.Value) bool { return false }
	}
	lo, hi := bounds(p)
	return func(v *event.Value) bool {
		a, err := netip.ParseAddr(v.Text)
		if err != nil {
			return false
		}
		a = netip.AddrFrom16(a.As16())
		return lo.Compare(a) <= 0 && a.Compare(hi) <= 0
	}
}

// bounds gives the first and the last address of a network, as IPv6.
func bounds(p netip.Prefix) (lo, hi netip.Addr) {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	first := p.Addr().As16()
	last := first
	for i := range first {
		host := byte(0xff) // the bits of this byte that are the host's
		if n := bits - 8*i; n >= 8 {
			host = 0
		} else if n > 0 {
			host >>= n
		}
		first[i] &^= host
		last[i] |= host
	}
	return netip.AddrFrom16(first), netip.AddrFrom16(last)
}
