package filter

import (
	"math"
	"net/netip"
	"strings"

	"imwatch/event"
)

func inRange(r Range) test {
	switch t := r.Field.Type; {
	case t == event.Date && r.ends(event.Date), t == event.Long && r.ends(event.Long):
		return between(r)
	case t == event.Float && r.ends(event.Float):
		return betweenFloats(r)
	}
	return func(v *event.Value) bool {
		if r.From != nil {
			if c := Compare(*v, *r.From); c < 0 || c == 0 && !r.FromClosed {
				return false
			}
		}
		if r.To != nil {
			if c := Compare(*v, *r.To); c > 0 || c == 0 && !r.ToClosed {
				return false
			}
		}
		return true
	}
}

// ends says whether the ends that there are have the type.
func (r Range) ends(t event.Type) bool {
	return (r.From == nil || r.From.Type == t) && (r.To == nil || r.To.Type == t)
}

// between is a range of longs or dates, which are both kept as integers.
func between(r Range) test {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if r.From != nil {
		if lo = r.From.UnixNano(); !r.FromClosed {
			if lo == math.MaxInt64 {
				return func(*event.Value) bool { return false }
			}
			lo++
		}
	}
	if r.To != nil {
		if hi = r.To.UnixNano(); !r.ToClosed {
			if hi == math.MinInt64 {
				return func(*event.Value) bool { return false }
			}
			hi--
		}
	}
	return func(v *event.Value) bool { n := v.UnixNano(); return lo <= n && n <= hi }
}

func betweenFloats(r Range) test {
	lo, hi := math.Inf(-1), math.Inf(1)
	if r.From != nil {
		if lo = r.From.Float(); !r.FromClosed {
			lo = math.Nextafter(lo, math.Inf(1))
		}
	}
	if r.To != nil {
		if hi = r.To.Float(); !r.ToClosed {
			hi = math.Nextafter(hi, math.Inf(-1))
		}
	}
	return func(v *event.Value) bool { x := v.Float(); return lo <= x && x <= hi }
}

func betweenTexts(r Range) func(string) bool {
	return func(s string) bool {
		return (r.From == nil || s > r.From.Text || s == r.From.Text && r.FromClosed) &&
			(r.To == nil || s < r.To.Text || s == r.To.Text && r.ToClosed)
	}
}

// Compare orders two values of one type: numbers by size, dates by instant, addresses as IPv6, the rest by bytes.
func Compare(a, b event.Value) int {
	switch a.Type {
	case event.Long:
		if b.Type == event.Long {
			return order(a.Int(), b.Int())
		}
		return order(a.Float(), b.Float())
	case event.Float:
		return order(a.Float(), b.Float())
	case event.Bool:
		return order(b2i(a.Bool()), b2i(b.Bool()))
	case event.Date:
		return order(a.UnixNano(), b.UnixNano())
	case event.IP:
		x, errX := netip.ParseAddr(a.Text)
		y, errY := netip.ParseAddr(b.Text)
		if errX == nil && errY == nil {
			return netip.AddrFrom16(x.As16()).Compare(netip.AddrFrom16(y.As16()))
		}
	}
	return strings.Compare(a.Text, b.Text)
}

func order[T int64 | float64 | int](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
