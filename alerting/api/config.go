package api

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/oidc"
)

// Config says where the interface listens and who may use it.
type Config struct {
	Addr       string        `yaml:"addr" doc:"where the HTTP interface listens beside ops.addr, for people who cannot reach that, as :9110; empty: nowhere"`
	URL        string        `yaml:"url" doc:"address under which people reach it, as https://watch.example.org, for the links in messages; empty: no links"`
	Tokens     []Token       `yaml:"tokens" doc:"who may use it; none, and no oidc.issuer: there is no interface"`
	OIDC       oidc.Config   `yaml:"oidc" doc:"people whose tokens are of an OpenID Connect provider"`
	LinkSecret string        `yaml:"link_secret" secret:"true" doc:"signs the links in messages, at least 32 bytes, the same for all alerters; empty: no links"`
	LinkTTL    time.Duration `yaml:"link_ttl" doc:"how long a link in a message can be used"`
}

// Token is what a caller shows.
type Token struct {
	Name  string `yaml:"name" doc:"who it is, for the audit"`
	Role  string `yaml:"role" doc:"viewer (looks), responder (acknowledges and silences as well) or admin (reads the audit as well)"`
	Token string `yaml:"token" secret:"true" doc:"bearer token, at least 16 bytes"`
}

// DefaultConfig gives the defaults: no listener.
func DefaultConfig() Config { return Config{LinkTTL: 24 * time.Hour, OIDC: oidc.DefaultConfig()} }

// On says whether somebody may use the interface.
func (c Config) On() bool { return len(c.Tokens) > 0 || c.OIDC.On() }

// The least lengths of secrets, in bytes.
const (
	minToken  = 16
	minSecret = 32
)

// Validate gives all faults, each with its key.
func (c Config) Validate() error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if _, _, err := net.SplitHostPort(c.Addr); c.Addr != "" && err != nil {
		fault("addr", "found %q, expected HOST:PORT", c.Addr)
	}
	if c.Addr != "" && !c.On() {
		fault("tokens", "at least one is needed, or oidc.issuer: without any nobody may use the interface")
	}
	names := map[string]bool{}
	for i, t := range c.Tokens {
		at := fmt.Sprintf("tokens[%d]", i)
		if t.Name == "" || names[t.Name] {
			fault(at+".name", "found %q, expected a name that no other token has", t.Name)
		}
		names[t.Name] = true
		if !slices.Contains(roles, t.Role) {
			fault(at+".role", "found %q, expected viewer, responder or admin", t.Role)
		}
		if len(t.Token) < minToken {
			fault(at+".token", "found %d bytes, expected at least %d", len(t.Token), minToken)
		}
	}
	if err := c.OIDC.Validate(roles); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			errs = append(errs, errors.New("oidc."+line))
		}
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "") {
		fault("url", "found %q, expected an address such as https://watch.example.org", c.URL)
	}
	if c.LinkSecret != "" && len(c.LinkSecret) < minSecret {
		fault("link_secret", "found %d bytes, expected at least %d", len(c.LinkSecret), minSecret)
	}
	if c.LinkTTL < time.Minute || c.LinkTTL > 7*24*time.Hour {
		fault("link_ttl", "found %v, expected 1m to 168h", c.LinkTTL)
	}
	return errors.Join(errs...)
}
