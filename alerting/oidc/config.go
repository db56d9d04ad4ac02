package oidc

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config says which tokens count and what they allow. The zero Config: none.
type Config struct {
	Issuer     string              `yaml:"issuer" doc:"address of the OpenID Connect provider, as its tokens have it in iss; empty: tokens of none"`
	Audience   string              `yaml:"audience" doc:"what access tokens for the interface have in aud; empty: only ID tokens count, by client_ids"`
	ClientIDs  []string            `yaml:"client_ids" doc:"clients whose tokens count: ID tokens have one of them in aud, access tokens in azp or client_id; none: tokens for audience count whoever asked for them"`
	RolesClaim string              `yaml:"roles_claim" doc:"claim with a person's groups, or the path to it, as realm_access.roles"`
	Roles      map[string][]string `yaml:"roles" doc:"role (viewer, responder, admin) and the groups that have it; \"*\" is everybody; the highest counts"`
	NameClaim  string              `yaml:"name_claim" doc:"claim with the name for the audit; where it is missing, sub counts"`
	Skew       time.Duration       `yaml:"skew" doc:"by how much the provider's clock may differ"`
	CAFile     string              `yaml:"ca_file" doc:"PEM file of further certificate authorities for the provider"`
}

// DefaultConfig gives the defaults: no provider.
func DefaultConfig() Config {
	return Config{RolesClaim: "groups", NameClaim: "preferred_username", Skew: time.Minute}
}

// On says whether there is a provider.
func (c Config) On() bool { return c.Issuer != "" }

// maxSkew bounds the difference of clocks: beyond it, expiry would mean little.
const maxSkew = 5 * time.Minute

// Validate gives all faults, each with its key; roles are those that there are.
func (c Config) Validate(roles []string) error {
	if !c.On() {
		if c.Audience != "" || len(c.ClientIDs) > 0 || len(c.Roles) > 0 {
			return errors.New("issuer: needed: the provider's address, https://…")
		}
		return nil
	}
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.User != nil:
		fault("issuer", "found %q, expected an address, https://…, without user and query", c.Issuer)
	case u.Scheme == "http" && !local(u.Hostname()):
		fault("issuer", "found %q, expected https://: whoever stands between could hand out keys of his own", c.Issuer)
	}
	if c.Audience == "" && len(c.ClientIDs) == 0 {
		fault("audience", "audience or client_ids is needed: without, tokens that were made for something else would count")
	}
	if slices.Contains(c.ClientIDs, "") {
		fault("client_ids", "found an empty one")
	}
	if c.RolesClaim == "" {
		fault("roles_claim", "needed, as groups")
	}
	if c.NameClaim == "" {
		fault("name_claim", "needed, as preferred_username")
	}
	if len(c.Roles) == 0 {
		fault("roles", "at least one is needed: without, nobody may do anything")
	}
	for role, groups := range c.Roles {
		if !slices.Contains(roles, role) {
			fault("roles", "found %q, expected %s", role, strings.Join(roles, ", "))
		}
		if len(groups) == 0 || slices.Contains(groups, "") {
			fault("roles."+role, "expected at least one group, none empty")
		}
	}
	if c.Skew < 0 || c.Skew > maxSkew {
		fault("skew", "found %v, expected 0 to %v", c.Skew, maxSkew)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }) // roles come in no order
	return errors.Join(errs...)
}

// local says whether a provider is on this machine, where tests have theirs.
func local(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }
