package filter_test

import (
	"bytes"
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/event/filter"

	"pgregory.net/rapid"
)

// naive is the meaning of a condition, written to be read: no state, no case of its own for what is frequent.
func naive(x filter.Expr, e *event.Event) bool {
	some := func(f filter.Field, ok func(event.Value) bool) bool {
		return slices.ContainsFunc(valuesOf(f, e), ok)
	}
	switch x := x.(type) {
	case filter.And:
		return !slices.ContainsFunc(x, func(p filter.Expr) bool { return !naive(p, e) })
	case filter.Or:
		return slices.ContainsFunc(x, func(p filter.Expr) bool { return naive(p, e) })
	case filter.Not:
		return !naive(x.X, e)
	case filter.None:
		return false
	case filter.Exists:
		return len(valuesOf(x.Field, e)) > 0
	case filter.Equal:
		return some(x.Field, func(v event.Value) bool { return naiveOrder(v, x.Value) == 0 })
	case filter.Range:
		return some(x.Field, func(v event.Value) bool {
			above := x.From == nil || naiveOrder(v, *x.From) > 0 || x.FromClosed && naiveOrder(v, *x.From) == 0
			below := x.To == nil || naiveOrder(v, *x.To) < 0 || x.ToClosed && naiveOrder(v, *x.To) == 0
			return above && below
		})
	case filter.Pattern:
		parts := make([]string, len(x.Parts))
		for i, p := range x.Parts {
			parts[i] = regexp.QuoteMeta(p)
		}
		whole := regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
		return some(x.Field, func(v event.Value) bool {
			if x.Field.Type == event.Text {
				return slices.ContainsFunc(filter.Tokenize(v.Text), whole.MatchString)
			}
			return whole.MatchString(v.Text)
		})
	case filter.CIDR:
		p := netip.MustParsePrefix(x.Prefix)
		return some(x.Field, func(v event.Value) bool { return sameBits(p, netip.MustParseAddr(v.Text)) })
	case filter.Words:
		return some(x.Field, func(v event.Value) bool {
			have := " " + strings.Join(filter.Tokenize(v.Text), " ") + " "
			if x.Phrase {
				return len(x.Words) > 0 && strings.Contains(have, " "+strings.Join(x.Words, " ")+" ")
			}
			return slices.ContainsFunc(x.Words, func(w string) bool { return strings.Contains(have, " "+w+" ") })
		})
	}
	return true
}

func valuesOf(f filter.Field, e *event.Event) []event.Value {
	var list []event.Value
	add := func(v event.Value, ok bool) {
		if ok {
			v.Each(func(v event.Value) bool { list = append(list, v); return true })
		}
	}
	if !f.Wild {
		add(e.Lookup(f.Name))
		return list
	}
	name := regexp.MustCompile(`\A` + strings.ReplaceAll(regexp.QuoteMeta(f.Name), `\*`, ".*") + `\z`)
	for _, x := range e.Extras() {
		if name.MatchString(x.Name) {
			add(e.Lookup(x.Name))
		}
	}
	return list
}

// naiveOrder compares numbers as fractions of any size, instants, addresses bit by bit, all else as bytes.
func naiveOrder(a, b event.Value) int {
	switch a.Type {
	case event.Long, event.Float:
		return fraction(a).Cmp(fraction(b))
	case event.Date:
		return a.Time().Compare(b.Time())
	case event.IP:
		x, y := netip.MustParseAddr(a.Text).As16(), netip.MustParseAddr(b.Text).As16()
		return bytes.Compare(x[:], y[:])
	}
	return strings.Compare(a.Text, b.Text)
}

func fraction(v event.Value) *big.Rat {
	if v.Type == event.Long {
		return new(big.Rat).SetInt64(v.Int())
	}
	return new(big.Rat).SetFloat64(v.Float())
}

func sameBits(p netip.Prefix, a netip.Addr) bool {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	x, y := p.Addr().As16(), a.As16()
	for i := range bits {
		if mask := byte(0x80) >> (i % 8); x[i/8]&mask != y[i/8]&mask {
			return false
		}
	}
	return true
}

// TestPredicatesMeanWhatTheySay compares Compile with the naive evaluation on random conditions and events.
func TestPredicatesMeanWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := condition(t, 3)
		match := filter.Compile(x)
		for range 10 {
			e := someEvent(t)
			if got, want := match(e), naive(x, e); got != want {
				t.Fatalf("got %t, want %t\n%#v\n%s", got, want, x, e.AppendJSON(nil))
			}
		}
	})
}

func draw[T any](t *rapid.T, from ...T) T { return rapid.SampledFrom(from).Draw(t, "of") }

func texts() []string {
	return []string{"", "a", "b", "ab", "aab", "abab", "ba", "abc", "A", "é", "a b", "the quick brown fox", "quick quick brown", "The 10,5 don't x-y", "b a b c a b d"}
}

// scalars are the values of a type that are drawn.
func scalars(typ event.Type) (vs []event.Value) {
	switch typ {
	case event.Long:
		for _, n := range []int64{0, 1, 2, 3, -1, 500, 1 << 53, 1<<53 + 1, 1<<63 - 1, -1 << 63} {
			vs = append(vs, event.LongValue(n))
		}
	case event.Float:
		for _, x := range []float64{0, 1, 1.5, 1.5000000000000002, -2, 1e300, -1e300} {
			vs = append(vs, event.FloatValue(x))
		}
	case event.Date:
		for _, ns := range []int64{0, 1, 2, 1_000_000, -1} {
			vs = append(vs, event.DateValue(time.Unix(1795000000, ns)))
		}
	case event.IP:
		for _, a := range []string{"192.0.2.1", "192.0.2.2", "192.0.3.0", "::ffff:192.0.2.1", "::", "0.0.0.0", "2001:db8::1", "2001:DB8:0::1", "2001:db8::2"} {
			vs = append(vs, event.IPValue(a))
		}
	case event.Bool:
		vs = append(vs, event.BoolValue(false), event.BoolValue(true))
	default:
		for _, s := range texts() {
			vs = append(vs, event.Value{Type: typ, Text: s})
		}
	}
	return vs
}

func scalar(t *rapid.T, typ event.Type) event.Value { return draw(t, scalars(typ)...) }

func networks() []string {
	return []string{"192.0.2.0/24", "192.0.2.0/31", "192.0.2.1/32", "0.0.0.0/0", "::/0", "::/127", "2001:db8::/64", "2001:db8::1/128", "::ffff:192.0.2.0/120"}
}

func patterns() []string {
	return []string{"*", "a*", "*b", "a*b", "ab*ab", "*a*b*", "a*a*b", "*aa*a*", "aba*bab", "ab", "", "*qu*k*"}
}

// TestEachLeaf tries every value against every bound.
func TestEachLeaf(t *testing.T) {
	for _, name := range fieldNames() {
		f := field(t, name)
		var leaves []filter.Expr
		for _, v := range scalars(f.Type) {
			leaves = append(leaves, filter.Equal{Field: f, Value: v})
			for _, closed := range []bool{false, true} {
				leaves = append(leaves, filter.Range{Field: f, From: &v, FromClosed: closed}, filter.Range{Field: f, To: &v, ToClosed: closed})
			}
		}
		for _, p := range patterns() {
			leaves = append(leaves, filter.Pattern{Field: f, Parts: strings.Split(p, "*")})
		}
		for _, n := range networks() {
			if f.Type == event.IP {
				leaves = append(leaves, filter.CIDR{Field: f, Prefix: n})
			}
		}
		for _, x := range leaves {
			match := filter.Compile(x)
			for _, v := range scalars(f.Type) {
				e := &event.Event{}
				if f.ID == event.NoField {
					e.SetLabel(strings.TrimPrefix(f.Name, event.LabelPrefix), v.Text)
				} else {
					e.Set(f.ID, v)
				}
				if got, want := match(e), naive(x, e); got != want {
					t.Errorf("%#v on %s: got %t", x, v.Text, got)
				}
			}
		}
	}
}

func fieldNames() []string {
	return []string{"user.id", "event.category", "labels.a", "labels.b", "event.duration", "im.heartbeat.rtt_ms", "event.ingested", "client.ip", "im.close.clean", "message"}
}

func someField(t *rapid.T) filter.Field {
	f, _ := event.FieldByName(draw(t, fieldNames()...))
	return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}
}

func someEvent(t *rapid.T) *event.Event {
	e := &event.Event{}
	for _, f := range []event.FieldID{
		event.FieldUserID, event.FieldEventCategory, event.FieldEventDuration, event.FieldHeartbeatRTT, event.FieldEventIngested, event.FieldClientIP, event.FieldCloseClean, event.FieldMessage,
	} {
		n := rapid.IntRange(0, 4).Draw(t, "values")
		if n == 0 {
			continue
		}
		list := make([]event.Value, n)
		for i := range list {
			list[i] = scalar(t, event.FieldByID(f).Type)
		}
		v := list[0]
		if n > 1 {
			v.List = list
		}
		e.Set(f, v)
	}
	for _, name := range []string{"a", "b"} {
		if rapid.Bool().Draw(t, "label?") {
			e.SetLabel(name, draw(t, texts()...))
		}
	}
	return e
}

func condition(t *rapid.T, depth int) filter.Expr {
	kind := 9
	if depth > 0 {
		kind = rapid.IntRange(0, 12).Draw(t, "kind")
	}
	parts := func() []filter.Expr {
		xs := make([]filter.Expr, rapid.IntRange(0, 4).Draw(t, "parts"))
		for i := range xs {
			xs[i] = condition(t, depth-1)
		}
		return xs
	}
	switch kind {
	case 0, 1:
		return filter.And(parts())
	case 2, 3:
		return filter.Or(parts())
	case 4, 5:
		return filter.Not{X: condition(t, depth-1)}
	case 6: // more values than are compared one by one
		var or filter.Or
		f := filter.Field{Name: "user.id", ID: event.FieldUserID}
		for i := range rapid.IntRange(1, 12).Draw(t, "one of") {
			or = append(or, filter.Equal{Field: f, Value: event.KeywordValue(draw(t, append(texts(), fmt.Sprint(i))...))})
		}
		return or
	}
	return someLeaf(t)
}

func someLeaf(t *rapid.T) filter.Expr {
	f := someField(t)
	switch rapid.IntRange(0, 6).Draw(t, "leaf") {
	case 0:
		return filter.Exists{Field: f}
	case 1:
		return filter.CIDR{Field: filter.Field{Name: "client.ip", ID: event.FieldClientIP, Type: event.IP}, Prefix: draw(t, networks()...)}
	case 2:
		words := filter.Tokenize(draw(t, "quick", "quick brown", "brown quick", "a b", "b a b d", "a b d", "10,5 don't", "x y"))
		return filter.Words{Field: filter.Field{Name: "message", ID: event.FieldMessage, Type: event.Text}, Words: words, Phrase: rapid.Bool().Draw(t, "phrase")}
	case 3:
		parts := strings.Split(draw(t, patterns()...), "*")
		return filter.Pattern{Field: draw(t, filter.Field{Name: "user.id", ID: event.FieldUserID}, filter.Field{Name: "labels.*", ID: event.NoField, Wild: true}, filter.Field{Name: "message", ID: event.FieldMessage, Type: event.Text}), Parts: parts}
	case 4, 5:
		r := filter.Range{Field: f, FromClosed: rapid.Bool().Draw(t, "from closed"), ToClosed: rapid.Bool().Draw(t, "to closed")}
		from, to := scalar(t, f.Type), scalar(t, f.Type)
		if rapid.IntRange(0, 2).Draw(t, "from?") > 0 {
			r.From = &from
		}
		if rapid.IntRange(0, 2).Draw(t, "to?") > 0 {
			r.To = &to
		}
		return r
	}
	return filter.Equal{Field: f, Value: scalar(t, f.Type)}
}

// TestSets finds each of few and of many values of one field, and no other.
func TestSets(t *testing.T) {
	for _, name := range []string{"user.id", "labels.a"} {
		for n := 1; n <= 12; n++ {
			or := filter.Or{filter.None{}}
			for i := range n {
				or = append(or, filter.Equal{Field: field(t, name), Value: event.KeywordValue(fmt.Sprint("v", i))})
			}
			match := filter.Compile(or)
			for i := range n + 1 {
				e := &event.Event{}
				e.SetText(event.FieldUserID, fmt.Sprint("v", i))
				e.SetLabel("a", fmt.Sprint("v", i))
				if got := match(e); got != (i < n) {
					t.Errorf("%s, %d values, the %dth: got %t", name, n, i, got)
				}
			}
		}
	}
}

// TestPhrases has phrases that begin twice, and such as are only the same words.
func TestPhrases(t *testing.T) {
	for _, text := range texts() {
		for _, phrase := range []string{"quick", "quick brown fox", "quick fox brown", "b a b d", "a b d b", "b b b", "the 10,5 don't x", "a b c a b d", ""} {
			x := filter.Words{Field: field(t, "message"), Words: filter.Tokenize(phrase), Phrase: true}
			e := &event.Event{}
			e.SetText(event.FieldMessage, text)
			if got, want := filter.Compile(x)(e), naive(x, e); got != want {
				t.Errorf("%q in %q: got %t", phrase, text, got)
			}
		}
	}
}
