package imserver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"imwatch/event"
	"imwatch/im-server/source"
)

// AddressesConfig says which addresses may connect.
type AddressesConfig struct {
	Allow     []string `yaml:"allow" hot:"true" doc:"addresses or networks that may connect, no others; empty: all"`
	Deny      []string `yaml:"deny" hot:"true" doc:"addresses or networks that may not, before allow"`
	DenyLists []string `yaml:"deny_lists" doc:"more of them, one a line: files or https:// URLs; read again as they change"`
}

func (c AddressesConfig) validate(v *faults) {
	v.networks("addresses.allow", c.Allow)
	v.networks("addresses.deny", c.Deny)
	for i, ref := range c.DenyLists {
		err := source.Check(ref)
		v.check(err == nil, fmt.Sprintf("addresses.deny_lists[%d]", i), "%v", err)
	}
}

// networks checks a list of addresses and networks.
func (v *faults) networks(key string, list []string) {
	for i, text := range list {
		_, err := parseNetwork(text)
		v.check(err == nil, fmt.Sprintf("%s[%d]", key, i), "%v", err)
	}
}

// parseNetwork reads an address or a network.
func parseNetwork(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		if p.Addr().Is4In6() {
			return netip.Prefix{}, fmt.Errorf("%q: write an IPv4 network as such", text)
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q must be an address or a network like 10.0.0.0/8", text)
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// networks is a set of addresses. A look-up costs as many map reads as there are lengths of prefixes.
type networks struct {
	lengths []int
	of      map[netip.Prefix]struct{}
}

// newNetworks makes a set of texts that were checked.
func newNetworks(list []string) *networks {
	n := &networks{of: map[netip.Prefix]struct{}{}}
	for _, text := range list {
		if p, err := parseNetwork(text); err == nil {
			n.add(p)
		}
	}
	return n
}

func (n *networks) add(p netip.Prefix) {
	for _, l := range n.lengths {
		if l == p.Bits() {
			n.of[p] = struct{}{}
			return
		}
	}
	n.lengths = append(n.lengths, p.Bits())
	n.of[p] = struct{}{}
}

func (n *networks) has(a netip.Addr) bool {
	for _, l := range n.lengths {
		if p, err := a.Prefix(l); err == nil {
			if _, ok := n.of[p]; ok {
				return true
			}
		}
	}
	return false
}

// parseDenied reads a list: an address or network a line.
func parseDenied(b []byte) (*networks, error) {
	n := &networks{of: map[netip.Prefix]struct{}{}}
	for line, text := range source.Lines(b) {
		p, err := parseNetwork(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		n.add(p)
	}
	return n, nil
}

// addresses judges where clients come from. Safe for concurrent use.
type addresses struct {
	lists  atomic.Pointer[addressLists]
	denied []*source.Kept[*networks]
}

type addressLists struct{ allow, deny *networks }

// newAddresses reads the lists that are files: what is wrong with them at the start is a fault of the configuration.
func newAddresses(c AddressesConfig, o source.Options) (*addresses, error) {
	a := &addresses{}
	a.set(c)
	var errs []error
	for i, ref := range c.DenyLists {
		k := source.Keep(ref, parseDenied, o)
		a.denied = append(a.denied, k)
		if source.IsURL(ref) {
			continue
		}
		if err := k.Refresh(context.Background()); err != nil {
			errs = append(errs, fmt.Errorf("addresses.deny_lists[%d]: %w", i, err))
		}
	}
	return a, errors.Join(errs...)
}

// set takes changed lists of the configuration.
func (a *addresses) set(c AddressesConfig) {
	a.lists.Store(&addressLists{newNetworks(c.Allow), newNetworks(c.Deny)})
}

// Run keeps the lists up to date until ctx ends.
func (a *addresses) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, k := range a.denied {
		all.Go(func() { k.Run(ctx) })
	}
	all.Wait()
}

// allows says whether an address may connect. A list that has never been read denies nobody: it says who is bad, not who
// is good. An address that is not known is not in any list.
func (a *addresses) allows(ip netip.Addr) bool {
	l := a.lists.Load()
	if l.deny.has(ip) {
		return false
	}
	for _, k := range a.denied {
		if n, ok := k.Get(); ok && n.has(ip) {
			return false
		}
	}
	return len(l.allow.lengths) == 0 || l.allow.has(ip)
}

func (s *Server) checkAddress(h *handshake) *refusal {
	ip, err := netip.ParseAddr(h.client.ip)
	if err != nil {
		ip = netip.Addr{}
	}
	if !s.addresses.allows(ip) {
		return &refusal{reason: event.HandshakeIPDenied}
	}
	return nil
}
