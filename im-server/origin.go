package imserver

import (
	"net/url"
	"strings"
)

// originList says which pages may connect from a browser.
type originList struct {
	any      bool
	exact    map[string]bool // scheme://host[:port], lower case
	suffixes []originSuffix
}

// originSuffix is https://*.example.org: any name below the domain, not the domain.
type originSuffix struct {
	scheme, host string
}

func newOriginList(patterns []string) originList {
	l := originList{exact: map[string]bool{}}
	for _, p := range patterns {
		p = strings.ToLower(p)
		scheme, host, _ := strings.Cut(p, "://")
		switch {
		case p == "*":
			l.any = true
		case strings.HasPrefix(host, "*."):
			l.suffixes = append(l.suffixes, originSuffix{scheme, host[1:]})
		default:
			l.exact[p] = true
		}
	}
	return l
}

// allows judges an Origin header, and the host that was asked for. No header is no browser.
func (l *originList) allows(origin, host string) bool {
	if origin == "" || l.any {
		return true
	}
	u, err := url.Parse(strings.ToLower(origin))
	if err != nil || u.Host == "" {
		return false
	}
	if l.exact[u.Scheme+"://"+u.Host] {
		return true
	}
	for _, s := range l.suffixes {
		if u.Scheme == s.scheme && strings.HasSuffix(u.Host, s.host) {
			return true
		}
	}
	return len(l.exact) == 0 && len(l.suffixes) == 0 && u.Host == strings.ToLower(host)
}
