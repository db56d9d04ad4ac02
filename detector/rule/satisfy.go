package rule

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"imwatch/detector/kql"
	"imwatch/event"
	"imwatch/event/filter"
)

// literal is a leaf of a condition, or its opposite.
type literal struct {
	leaf filter.Expr
	not  bool
}

func (l literal) String() string {
	if l.not {
		return kql.Format(filter.Not{X: l.leaf})
	}
	return kql.Format(l.leaf)
}

// maxWays bounds how many ways of being true are looked at; a condition with more is taken as one that can be.
const maxWays = 512

// ways gives the ways in which a condition can be true, each a list of literals that all must hold; ok is false when
// there are too many.
func ways(x filter.Expr, not bool) (all [][]literal, ok bool) {
	switch x := x.(type) {
	case nil, filter.All:
		return truth(!not), true
	case filter.None:
		return truth(not), true
	case filter.Not:
		return ways(x.X, !not)
	case filter.And:
		return joined(x, not, !not)
	case filter.Or:
		return joined(x, not, not)
	}
	return [][]literal{{{x, not}}}, true
}

// truth is one way without demands, or none.
func truth(is bool) [][]literal {
	if is {
		return [][]literal{nil}
	}
	return nil
}

func joined(xs []filter.Expr, not, all bool) (sum [][]literal, ok bool) {
	sum = truth(all)
	for _, x := range xs {
		more, ok := ways(x, not)
		if !ok {
			return nil, false
		}
		if !all {
			sum = append(sum, more...)
		} else {
			var next [][]literal
			for _, a := range sum {
				for _, b := range more {
					next = append(next, append(slices.Clone(a), b...))
				}
				if len(next) > maxWays {
					return nil, false
				}
			}
			sum = next
		}
		if len(sum) > maxWays {
			return nil, false
		}
	}
	return sum, true
}

// never says why no event can satisfy all of some conditions, "" where one may. It is sure of what it says for events
// as the contract has them, whose fields have one value each, but for those that it calls lists.
func never(xs ...filter.Expr) string {
	all, ok := ways(filter.And(xs), false)
	if !ok {
		return ""
	}
	first := ""
	for _, way := range all {
		reason := conflict(way)
		if reason == "" {
			return ""
		}
		if first == "" {
			first = reason
		}
	}
	if len(all) == 0 {
		return "it is true for no event"
	}
	if len(all) > 1 {
		return first + ", and the other ways of being true fail alike"
	}
	return first
}

// conflict gives two literals that cannot both hold, "" where none are found.
func conflict(way []literal) string {
	for i, a := range way {
		for _, b := range way[:i] {
			if reason := clash(b, a); reason != "" {
				return reason
			}
		}
	}
	return bounds(way)
}

func clash(a, b literal) string {
	fa, oka := filter.FieldOf(a.leaf)
	fb, okb := filter.FieldOf(b.leaf)
	if !oka || !okb || fa.Name != fb.Name {
		return ""
	}
	if a.not {
		a, b = b, a
	}
	if a.not {
		return ""
	}
	both := fmt.Sprintf("%s and %s cannot both be true", a, b)
	_, exists := b.leaf.(filter.Exists)
	switch {
	case b.not && (exists || reflect.DeepEqual(a.leaf, b.leaf)):
		return both
	case !single(fa):
		return ""
	case b.not && pinned(a.leaf) && holds(b.leaf, a.leaf):
		return both
	case !b.not && pinned(a.leaf) && !holds(b.leaf, a.leaf), !b.not && pinned(b.leaf) && !holds(a.leaf, b.leaf):
		return both + ": " + fa.Name + " has one value"
	case !b.not && apart(a.leaf, b.leaf):
		return both + ": " + fa.Name + " has one value"
	}
	return ""
}

// single says whether a field has one value at most, as one piece.
func single(f filter.Field) bool {
	return f.Type != event.Text && f.ID != event.FieldEventCategory && f.ID != event.FieldEventType && f.ID != event.NoField
}

func pinned(x filter.Expr) bool { _, ok := x.(filter.Equal); return ok }

// holds says whether a leaf is true of the one value that an Equal leaves.
func holds(x, equal filter.Expr) bool {
	e := equal.(filter.Equal) //nolint:forcetypeassert // pinned
	ev := &event.Event{}
	ev.Set(e.Field.ID, e.Value)
	return filter.Compile(x)(ev)
}

// apart says whether two leaves that leave several values each have none in common.
func apart(a, b filter.Expr) bool {
	switch a := a.(type) {
	case filter.CIDR:
		if b, ok := b.(filter.CIDR); ok {
			pa, errA := netip.ParsePrefix(a.Prefix)
			pb, errB := netip.ParsePrefix(b.Prefix)
			return errA == nil && errB == nil && pa.Addr().Is4() == pb.Addr().Is4() && !pa.Overlaps(pb)
		}
	case filter.Pattern:
		if b, ok := b.(filter.Pattern); ok {
			begin, end := a.Parts[0], a.Parts[len(a.Parts)-1]
			otherBegin, otherEnd := b.Parts[0], b.Parts[len(b.Parts)-1]
			return !strings.HasPrefix(begin, otherBegin) && !strings.HasPrefix(otherBegin, begin) ||
				!strings.HasSuffix(end, otherEnd) && !strings.HasSuffix(otherEnd, end)
		}
	}
	return false
}

// bounds looks for ranges that have no value in common.
func bounds(way []literal) string {
	type span struct {
		from, to             *event.Value
		fromClosed, toClosed bool
		fromBy, toBy         literal
	}
	spans := map[string]*span{}
	for _, l := range way {
		r, ok := asRange(l, way)
		if !ok {
			continue
		}
		s := spans[r.Field.Name]
		if s == nil {
			s = &span{}
			spans[r.Field.Name] = s
		}
		if r.From != nil {
			if c := compareEnds(r.From, s.from); s.from == nil || c > 0 || c == 0 && !r.FromClosed {
				s.from, s.fromClosed, s.fromBy = r.From, r.FromClosed, l
			}
		}
		if r.To != nil {
			if c := compareEnds(r.To, s.to); s.to == nil || c < 0 || c == 0 && !r.ToClosed {
				s.to, s.toClosed, s.toBy = r.To, r.ToClosed, l
			}
		}
		if s.from != nil && s.to != nil && empty(r.Field, s.from, s.to, s.fromClosed, s.toClosed) {
			return fmt.Sprintf("%s and %s cannot both be true: %s has one value", s.fromBy, s.toBy, r.Field.Name)
		}
	}
	return ""
}

func compareEnds(a, b *event.Value) int {
	if b == nil {
		return 0
	}
	return filter.Compare(*a, *b)
}

// asRange gives a range, or the other side of one where the way demands the field to be there.
func asRange(l literal, way []literal) (filter.Range, bool) {
	r, ok := l.leaf.(filter.Range)
	if !ok || !single(r.Field) {
		return r, false
	}
	if !l.not {
		return r, true
	}
	there := slices.ContainsFunc(way, func(o literal) bool {
		f, ok := filter.FieldOf(o.leaf)
		return ok && !o.not && f.Name == r.Field.Name
	})
	switch {
	case !there || r.From != nil && r.To != nil:
		return r, false
	case r.From != nil:
		return filter.Range{Field: r.Field, To: r.From, ToClosed: !r.FromClosed}, true
	case r.To != nil:
		return filter.Range{Field: r.Field, From: r.To, FromClosed: !r.ToClosed}, true
	}
	return r, false
}

func empty(f filter.Field, from, to *event.Value, fromClosed, toClosed bool) bool {
	if f.Type == event.Long {
		low, high := math.Ceil(from.Float()), math.Floor(to.Float())
		if !fromClosed && low == from.Float() {
			low++
		}
		if !toClosed && high == to.Float() {
			high--
		}
		return low > high
	}
	c := filter.Compare(*from, *to)
	return c > 0 || c == 0 && (!fromClosed || !toClosed)
}
