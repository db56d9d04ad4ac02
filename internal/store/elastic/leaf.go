package elastic

import (
	"math"
	"net/netip"
	"strings"
	"unicode/utf8"

	"imwatch/event"
	"imwatch/event/filter"
)

func exists(f filter.Field) clause {
	if f.Wild {
		return having(f)
	}
	if typeOf(f) == event.Flattened { // one with nothing but nulls is not found
		return anything()
	}
	return present(f)
}

// present matches the documents that have the field.
func present(f filter.Field) clause { return clause{obj{"exists": obj{"field": f.Name}}, true} }

// having matches the documents that have the field, where the server cannot tell more.
func having(f filter.Field) clause {
	if f.Wild {
		if !strings.HasPrefix(f.Name, event.LabelPrefix) { // it may match names that cannot be asked for
			return anything()
		}
		return clause{obj{"exists": obj{"field": f.Name}}, false}
	}
	c := exists(f)
	c.exact = false
	return c
}

// term gives the value of an exact term query for an equality, if there is one.
func term(x filter.Equal) (any, bool) {
	t := typeOf(x.Field)
	if x.Field.Wild || x.Value.List != nil || x.Value.Type != t {
		return nil, false
	}
	switch t {
	case event.Keyword:
		return x.Value.Text, utf8.ValidString(x.Value.Text)
	case event.Long:
		return x.Value.Int(), true
	case event.Bool:
		return x.Value.Bool(), true
	case event.IP:
		a, err := netip.ParseAddr(x.Value.Text)
		return a.Unmap().String(), err == nil && a.Zone() == ""
	}
	return nil, false
}

func equal(x filter.Equal) clause {
	if v, ok := term(x); ok {
		return clause{obj{"term": obj{x.Field.Name: obj{"value": v}}}, true}
	}
	switch t := typeOf(x.Field); {
	case t == event.Long && x.Value.Type == event.Float:
		return equalFraction(x.Field, x.Value.Float())
	case t == event.Date && x.Value.Type == event.Date, t == event.Float && number(x.Value):
		return about(x.Field, &x.Value, &x.Value)
	}
	return having(x.Field)
}

func number(v event.Value) bool { return v.Type == event.Float || v.Type == event.Long }

const exactIntegers = 1 << 53 // up to here a float64 holds every integer

func equalFraction(f filter.Field, want float64) clause {
	switch {
	case math.Abs(want) >= exactIntegers:
		return having(f)
	case want != math.Trunc(want):
		return none()
	}
	return clause{obj{"term": obj{f.Name: obj{"value": int64(want)}}}, true}
}

func between(x filter.Range) clause {
	if x.From == nil && x.To == nil || x.Field.Wild {
		return exists(x.Field)
	}
	for _, end := range []*event.Value{x.From, x.To} {
		if end != nil && end.List != nil {
			return having(x.Field)
		}
	}
	switch t := typeOf(x.Field); {
	case t == event.Keyword && ends(x, keywordEnd) && !ends(x, shortEnd):
		return longRange(x)
	case t == event.Keyword && ends(x, keywordEnd), t == event.IP && ends(x, addressEnd):
		return exactRange(x, func(v event.Value) any { return v.Text })
	case t == event.Long && ends(x, longEnd):
		return exactRange(x, func(v event.Value) any { return v.Int() })
	case t == event.Long && ends(x, number):
		return having(x.Field)
	case t == event.Date && ends(x, dateEnd):
		return dateRange(x)
	case t == event.Float && ends(x, number):
		return about(x.Field, x.From, x.To)
	}
	return having(x.Field)
}

// ends says whether both ends of a range, where given, are fit.
func ends(x filter.Range, fit func(event.Value) bool) bool {
	return (x.From == nil || fit(*x.From)) && (x.To == nil || fit(*x.To))
}

func keywordEnd(v event.Value) bool { return v.Type == event.Keyword && utf8.ValidString(v.Text) }
func longEnd(v event.Value) bool    { return v.Type == event.Long }
func dateEnd(v event.Value) bool    { return v.Type == event.Date }
func addressEnd(v event.Value) bool {
	a, err := netip.ParseAddr(v.Text)
	return v.Type == event.IP && err == nil && a.Zone() == ""
}

// longest is how long a text may be that Elasticsearch makes an automaton of: past 1,000 characters it refuses.
const longest = 500

func shortEnd(v event.Value) bool { return len(v.Text) <= longest }

// longRange is a range of keywords that begins at a part of a long end, or at once, and never ends before it should.
func longRange(x filter.Range) clause {
	wide := filter.Range{Field: x.Field, From: x.From, FromClosed: x.FromClosed, To: x.To, ToClosed: x.ToClosed}
	if x.From != nil && !shortEnd(*x.From) {
		part := event.KeywordValue(strings.ToValidUTF8(x.From.Text[:longest], ""))
		wide.From, wide.FromClosed = &part, true
	}
	if x.To != nil && !shortEnd(*x.To) {
		wide.To = nil
	}
	c := between(wide)
	c.exact = false
	return c
}

func exactRange(x filter.Range, constant func(event.Value) any) clause {
	r := obj{}
	if x.From != nil {
		r[lower(x.FromClosed)] = constant(*x.From)
	}
	if x.To != nil {
		r[upper(x.ToClosed)] = constant(*x.To)
	}
	return clause{obj{"range": obj{x.Field.Name: r}}, true}
}

func lower(closed bool) string {
	if closed {
		return "gte"
	}
	return "gt"
}

func upper(closed bool) string {
	if closed {
		return "lte"
	}
	return "lt"
}

// dateRange is exact where the ends are whole milliseconds and no instant after them in their millisecond could be
// meant differently: at or after a, before b.
func dateRange(x filter.Range) clause {
	c := about(x.Field, x.From, x.To)
	whole := func(v *event.Value) bool { return v == nil || v.UnixNano()%1e6 == 0 }
	if whole(x.From) && whole(x.To) && (x.From == nil || x.FromClosed) && (x.To == nil || !x.ToClosed) {
		r := obj{}
		if x.From != nil {
			r["gte"] = millis(x.From.UnixNano())
		}
		if x.To != nil {
			r["lt"] = millis(x.To.UnixNano())
		}
		return clause{obj{"range": obj{x.Field.Name: r}}, true}
	}
	return c
}

// about is a closed range, widened to what the server can tell apart: milliseconds of dates, 32-bit floats.
func about(f filter.Field, from, to *event.Value) clause {
	r := obj{}
	if typeOf(f) == event.Date {
		if from != nil {
			r["gte"] = millis(floorMilli(from.UnixNano()))
		}
		if to != nil {
			r["lte"] = millis(floorMilli(to.UnixNano()))
		}
		return clause{obj{"range": obj{f.Name: r}}, false}
	}
	if from != nil && from.Float() > -math.MaxFloat32 {
		r["gte"] = min(from.Float(), math.MaxFloat32)
	}
	if to != nil && to.Float() < math.MaxFloat32 {
		r["lte"] = max(to.Float(), -math.MaxFloat32)
	}
	if len(r) == 0 {
		return having(f)
	}
	return clause{obj{"range": obj{f.Name: r}}, false}
}

// pattern is a wildcard query, on text one on its words. Elasticsearch lower-cases the pattern then, which
// filter.Compile does not.
func pattern(x filter.Pattern) clause {
	t := typeOf(x.Field)
	if x.Field.Wild || t != event.Keyword && t != event.Text {
		return having(x.Field)
	}
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)
	parts := make([]string, len(x.Parts))
	for i, p := range x.Parts {
		if !utf8.ValidString(p) {
			return none()
		}
		parts[i] = escape.Replace(p)
	}
	if len(parts) == 1 { // Elasticsearch's own wildcard without a star does not find the empty keyword
		return clause{obj{"term": obj{x.Field.Name: obj{"value": x.Parts[0]}}}, true}
	}
	text := strings.Join(parts, "*")
	if len(text) > longest {
		return having(x.Field)
	}
	lower := t == event.Keyword || strings.ToLower(text) == text
	return clause{obj{"wildcard": obj{x.Field.Name: obj{"value": text}}}, lower}
}

// prefix is a term query on an address range. Elasticsearch keeps an IPv4 address as the IPv6 one that maps it, and so
// does filter.Compile; but it wants a network of such addresses written as one of IPv4.
func prefix(x filter.CIDR) clause {
	p, err := netip.ParsePrefix(x.Prefix)
	if err != nil {
		return none()
	}
	if typeOf(x.Field) != event.IP {
		return having(x.Field)
	}
	const mapping = 96 // bits
	if p = p.Masked(); p.Addr().Is4In6() && p.Bits() >= mapping {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapping)
	}
	return clause{obj{"term": obj{x.Field.Name: obj{"value": p.String()}}}, true}
}

// words asks for words as they stand in the index, without having Elasticsearch cut them again.
func words(x filter.Words) clause {
	switch {
	case len(x.Words) == 0:
		return none()
	case typeOf(x.Field) != event.Text:
		return having(x.Field)
	case !x.Phrase:
		return clause{obj{"terms": obj{x.Field.Name: x.Words}}, true}
	case len(x.Words) == 1:
		return clause{obj{"term": obj{x.Field.Name: obj{"value": x.Words[0]}}}, true}
	}
	spans := make([]obj, len(x.Words))
	for i, w := range x.Words {
		spans[i] = obj{"span_term": obj{x.Field.Name: w}}
	}
	return clause{obj{"span_near": obj{"clauses": spans, "slop": 0, "in_order": true}}, true}
}
