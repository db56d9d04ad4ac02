package ops

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/event"
)

// Filter says which connections are asked for. The zero value of a field asks for any.
type Filter struct {
	User, Device, Room, Node, Platform, Reason string

	IP             netip.Prefix
	State          string // "": open and closing
	MinAge, MaxAge time.Duration
	MinIdle        time.Duration
	MinQueue       int // bytes
	Limit          int // of one page
	After          string
}

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// filterKeys are the query parameters, in the order of the documentation.
var filterKeys = []string{
	"user", "device", "ip", "room", "node", "platform", "state", "reason", "min_age", "max_age", "min_idle", "min_queue", "limit", "after",
}

// ParseFilter reads the query of a list. It names every fault, joined.
func ParseFilter(q url.Values) (Filter, error) {
	f := Filter{
		User: q.Get("user"), Device: q.Get("device"), Room: q.Get("room"), Node: q.Get("node"), Platform: q.Get("platform"),
		Reason: q.Get("reason"), State: q.Get("state"), After: q.Get("after"), Limit: defaultLimit,
	}
	var p parser
	for key, values := range q {
		switch {
		case !slices.Contains(filterKeys, key):
			p.unknown(key)
		case len(values) > 1:
			p.fail(key, "it stands %d times", len(values))
		}
	}
	f.IP = p.network("ip", q.Get("ip"))
	f.MinAge, f.MaxAge = p.duration("min_age", q.Get("min_age")), p.duration("max_age", q.Get("max_age"))
	f.MinIdle = p.duration("min_idle", q.Get("min_idle"))
	f.MinQueue = p.number("min_queue", q.Get("min_queue"), 0, 1<<40, 0)
	f.Limit = p.number("limit", q.Get("limit"), 1, maxLimit, defaultLimit)
	if !slices.Contains([]string{"", StateOpen, StateClosing, StateClosed}, f.State) {
		p.fail("state", "found %q, expected open, closing or closed", f.State)
	}
	if f.Reason != "" && f.State != StateClosed {
		p.fail("reason", "only connections of state=closed have one")
	}
	if f.Reason != "" {
		if _, ok := event.CloseReasonByName(f.Reason); !ok {
			p.fail("reason", "%q is no close reason", f.Reason)
		}
	}
	if _, ok := parseCursor(f.After); f.After != "" && !ok {
		p.fail("after", "found %q, expected what next of the page before says", f.After)
	}
	slices.SortFunc(p.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return f, errors.Join(p.errs...)
}

// Match says whether a connection is asked for. Room is the node's to look after: a Conn of a list has none.
func (f *Filter) Match(c *Conn) bool {
	age, idle := time.Duration(c.AgeMS)*time.Millisecond, time.Duration(c.IdleMS)*time.Millisecond
	switch {
	case f.User != "" && c.User != f.User,
		f.Device != "" && c.Device != f.Device,
		f.Platform != "" && c.Platform != f.Platform,
		f.Node != "" && c.Node != f.Node,
		f.State != "" && c.State != f.State,
		f.Reason != "" && (c.End == nil || c.End.Reason != f.Reason),
		age < f.MinAge,
		f.MaxAge > 0 && age > f.MaxAge,
		idle < f.MinIdle,
		c.Bytes < f.MinQueue:
		return false
	}
	if f.IP.IsValid() {
		ip, err := netip.ParseAddr(c.IP)
		return err == nil && f.IP.Contains(ip)
	}
	return true
}

type parser struct{ errs []error }

func (p *parser) fail(key, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
}

func (p *parser) unknown(key string) {
	if near := event.Nearest(key, filterKeys); near != "" {
		p.fail(key, "no such filter; did you mean %s?", near)
		return
	}
	p.fail(key, "no such filter; there are %s", strings.Join(filterKeys, ", "))
}

func (p *parser) network(key, s string) netip.Prefix {
	if s == "" {
		return netip.Prefix{}
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	net, err := netip.ParsePrefix(s)
	if err != nil {
		p.fail(key, "found %q, expected an address or a network like 10.0.0.0/8", s)
	}
	return net
}

func (p *parser) duration(key, s string) time.Duration {
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		p.fail(key, `found %q, expected a duration like 90s or 2h`, s)
		return 0
	}
	return d
}

func (p *parser) number(key, s string, least, most, absent int) int {
	if s == "" {
		return absent
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		p.fail(key, "found %q, expected a whole number from %d to %d", s, least, most)
		return absent
	}
	return n
}
