package filter

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"imwatch/event"
)

// Compile makes the predicate of an expression. It is safe for concurrent use and allocates nothing when called,
// but on text and free fields.
func Compile(x Expr) func(*event.Event) bool {
	switch x := x.(type) {
	case And:
		return compileAnd(x)
	case Or:
		return compileOr(x)
	case Not:
		f := Compile(x.X)
		return func(e *event.Event) bool { return !f(e) }
	case None:
		return func(*event.Event) bool { return false }
	case Exists:
		return func(e *event.Event) bool { _, ok := get(e, x.Field); return ok }
	case Equal:
		return anyOf(x.Field, equal(x.Value))
	case Range:
		return anyOf(x.Field, inRange(x))
	case Pattern:
		if x.Field.Type == event.Text {
			return anyOf(x.Field, hasWordLike(x.Parts))
		}
		return anyOf(x.Field, func(v event.Value) bool { return matchParts(v.Text, x.Parts) })
	case CIDR:
		return anyOf(x.Field, inPrefix(x.Prefix))
	case Words:
		return anyOf(x.Field, hasWords(x))
	}
	return func(*event.Event) bool { return true } // All, nil
}

func compileAnd(parts []Expr) func(*event.Event) bool {
	fs := compileAll(parts)
	return func(e *event.Event) bool {
		for _, f := range fs {
			if !f(e) {
				return false
			}
		}
		return true
	}
}

func compileOr(parts []Expr) func(*event.Event) bool {
	fs := compileAll(parts)
	return func(e *event.Event) bool {
		for _, f := range fs {
			if f(e) {
				return true
			}
		}
		return false
	}
}

func compileAll(parts []Expr) []func(*event.Event) bool {
	fs := make([]func(*event.Event) bool, len(parts))
	for i, p := range parts {
		fs[i] = Compile(p)
	}
	return fs
}

// Value gives the field's value of an event, and whether it has one.
func (f Field) Value(e *event.Event) (event.Value, bool) { return get(e, f) }

func get(e *event.Event, f Field) (event.Value, bool) {
	if f.ID != event.NoField {
		return e.Get(f.ID)
	}
	return e.Lookup(f.Name)
}

func anyOf(f Field, ok func(event.Value) bool) func(*event.Event) bool {
	return func(e *event.Event) bool {
		v, has := get(e, f)
		if !has {
			return false
		}
		if v.List == nil {
			return ok(v)
		}
		return slices.ContainsFunc(v.List, ok)
	}
}

func equal(want event.Value) func(event.Value) bool {
	switch want.Type {
	case event.Keyword, event.Text, event.Flattened, event.GeoPoint:
		return func(v event.Value) bool { return v.Text == want.Text }
	case event.IP:
		a, _ := netip.ParseAddr(want.Text)
		return func(v event.Value) bool {
			b, err := netip.ParseAddr(v.Text)
			return err == nil && a.Unmap() == b.Unmap()
		}
	}
	return func(v event.Value) bool { return Compare(v, want) == 0 }
}

func inRange(r Range) func(event.Value) bool {
	return func(v event.Value) bool {
		if r.From != nil {
			if c := Compare(v, *r.From); c < 0 || c == 0 && !r.FromClosed {
				return false
			}
		}
		if r.To != nil {
			if c := Compare(v, *r.To); c > 0 || c == 0 && !r.ToClosed {
				return false
			}
		}
		return true
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
			xb, yb := x.As16(), y.As16()
			return bytes.Compare(xb[:], yb[:])
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

func inPrefix(s string) func(event.Value) bool {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return func(event.Value) bool { return false }
	}
	return func(v event.Value) bool {
		a, err := netip.ParseAddr(v.Text)
		if err != nil {
			return false
		}
		if p.Addr().Is4() {
			a = a.Unmap()
		}
		return p.Contains(a)
	}
}

// matchParts matches s against parts joined by stars.
func matchParts(s string, parts []string) bool {
	if len(parts) == 1 {
		return s == parts[0]
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return true
}
