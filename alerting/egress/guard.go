package egress

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// ForbiddenError says that a target is not on the public internet and private targets are not allowed.
type ForbiddenError struct{ Addr netip.Addr }

// Error says how to allow it.
func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("address %s is not public; allow_private: true lets this receiver call it", e.Addr)
}

// refusePrivate looks at the address that is really connected to, after the name was resolved, so that a name that
// changes its address between a check and the call gains nothing.
func refusePrivate(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("reading address to call: %w", err)
	}
	if !Public(ap.Addr()) {
		return &ForbiddenError{ap.Addr()}
	}
	return nil
}

// Public says whether an address belongs to the public internet.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range reserved() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// reserved are the special-purpose blocks that netip counts as global (RFC 6890): carrier NAT, protocol assignments,
// documentation, benchmarking, reserved, and the IPv6 forms that carry an IPv4 address inside.
func reserved() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
		netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"),
		netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	}
}
