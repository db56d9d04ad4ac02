package imserver

import (
	"net/http"
	"net/netip"
	"strings"
)

// forwarded is the header of RFC 7239; others are lists of addresses, as X-Forwarded-For.
const forwarded = "Forwarded"

// clientAddr gives the address that a request came from: the peer's, or, as long as that is a proxy that is trusted, the
// one that it says in the header. What cannot be read ends the search: nothing further left is believed.
func clientAddr(r *http.Request, header string, trusted *networks) netip.AddrPort {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.AddrPort{}
	}
	at := netip.AddrPortFrom(peer.Addr().Unmap().WithZone(""), peer.Port())
	if header == "" || !trusted.has(at.Addr()) {
		return at
	}
	// Proxies may append a line of their own: all lines are one list.
	list := strings.Join(r.Header.Values(header), ",")
	for hop := range hops(list, header) {
		a, ok := parseHop(hop)
		if !ok {
			return at
		}
		if at = a; !trusted.has(at.Addr()) {
			break
		}
	}
	return at
}

// hops gives the addresses of a header, the last first.
func hops(list, header string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for list != "" {
			var hop string
			if list, hop = lastElement(list, ','); header == forwarded {
				hop = forwardedFor(hop)
			}
			if !yield(strings.TrimSpace(hop)) {
				return
			}
		}
	}
}

// lastElement cuts the last element off a list whose elements may have quoted parts.
func lastElement(list string, sep byte) (rest, last string) {
	quoted, cut := false, -1
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			cut = i
		}
	}
	if cut < 0 {
		return "", list
	}
	return list[:cut], list[cut+1:]
}

// forwardedFor gives the for of one element of Forwarded; "" if it has none, or more than one.
func forwardedFor(element string) (node string) {
	for element != "" {
		var pair string
		element, pair = lastElement(element, ';')
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "for") {
			continue
		}
		if node != "" {
			return ""
		}
		node = strings.Trim(strings.TrimSpace(value), `"`)
	}
	return node
}

// parseHop reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80.
func parseHop(s string) (netip.AddrPort, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port()), true
	}
	if in, ok := strings.CutPrefix(s, "["); ok {
		s = strings.TrimSuffix(in, "]")
	}
	a, err := netip.ParseAddr(s)
	return netip.AddrPortFrom(a.Unmap().WithZone(""), 0), err == nil
}
