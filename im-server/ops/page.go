package ops

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Page is a part of a list.
type Page struct {
	Node    string `json:"node"`
	Boot    string `json:"boot"`
	Open    int    `json:"open"`    // connections of the node
	Matched int    `json:"matched"` // connections that the filter asks for, on all pages
	Conns   []Conn `json:"conns"`
	Next    string `json:"next,omitempty"` // after of the next page; "" on the last
}

// cursor is a place in a list: after the connection that was opened, or ended, then.
type cursor struct {
	at int64 // nanoseconds since 1970
	id string
}

func (c cursor) String() string { return strconv.FormatInt(c.at, 10) + "." + c.id }

func parseCursor(s string) (cursor, bool) {
	at, id, ok := strings.Cut(s, ".")
	n, err := strconv.ParseInt(at, 10, 64)
	return cursor{n, id}, ok && err == nil && id != ""
}

func (c cursor) compare(o cursor) int {
	return cmp.Or(cmp.Compare(c.at, o.at), strings.Compare(c.id, o.id))
}

// cursorOf gives a connection's place: live ones from the oldest on, closed ones from the last end back.
func cursorOf(c *Conn) cursor {
	if c.Live() {
		return cursor{c.Opened.UnixNano(), c.ID}
	}
	return cursor{-c.End.At.UnixNano(), c.ID}
}

// pick takes one page of all that match: the places of a page are kept, whatever comes and goes meanwhile. It holds no
// more than two pages at a time.
func pick(conns iter.Seq[Conn], f *Filter) (page Page) {
	after, paged := parseCursor(f.After)
	byPlace := func(a, b Conn) int { return cursorOf(&a).compare(cursorOf(&b)) }
	for c := range conns {
		if !f.Match(&c) {
			continue
		}
		page.Matched++
		if paged && cursorOf(&c).compare(after) <= 0 {
			continue
		}
		page.Conns = append(page.Conns, c)
		if len(page.Conns) > 2*(f.Limit+1) {
			slices.SortFunc(page.Conns, byPlace)
			page.Conns = page.Conns[:f.Limit+1]
		}
	}
	slices.SortFunc(page.Conns, byPlace)
	if len(page.Conns) > f.Limit {
		page.Conns = page.Conns[:f.Limit]
		page.Next = cursorOf(&page.Conns[f.Limit-1]).String()
	}
	return page
}
