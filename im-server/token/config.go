// Package token checks JSON Web Tokens: by keys of the configuration, by the key sets that login servers publish, and
// against lists of what was revoked.
package token

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"imwatch/im-server/source"
)

// Config says which tokens are good.
type Config struct {
	Keys     []Key         `yaml:"keys" doc:"keys that tokens are signed with"`
	Issuer   string        `yaml:"issuer" doc:"iss that a token of these keys must have; empty: any"`
	Audience string        `yaml:"audience" doc:"aud that a token of these keys must have; empty: any"`
	Issuers  []Issuer      `yaml:"issuers" doc:"login servers that publish their keys"`
	Floor    time.Duration `yaml:"jwks_floor" doc:"least time between two fetches of a key set, whatever kid tokens name"`
	Leeway   time.Duration `yaml:"leeway" doc:"how far clocks may differ when exp and nbf are checked"`
	Revoked  []string      `yaml:"revoked" doc:"lists of what was revoked: files or https:// URLs; read again as they change, for open connections too"`
}

// Key is one key with the one algorithm that it may be used with.
type Key struct {
	ID        string `yaml:"id" doc:"kid of the tokens; may be empty if there is one key only"`
	Algorithm string `yaml:"algorithm" doc:"HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA"`
	Secret    string `yaml:"secret" secret:"true" doc:"secret of HS256 (at least 32 bytes), HS384 (48) or HS512 (64)"`
	File      string `yaml:"file" doc:"PEM file of the public key of the other algorithms; read again when it changes"`
}

// Issuer is a login server with a key set of its own, by which only its own tokens are good.
type Issuer struct {
	Issuer    string `yaml:"issuer" doc:"iss of its tokens"`
	Audience  string `yaml:"audience" doc:"aud that they must have; empty: any"`
	JWKS      string `yaml:"jwks" doc:"its key set: an https:// URL or a file"`
	Algorithm string `yaml:"algorithm" doc:"algorithm of RSA keys that name none: RS256, …, PS512"`
}

// DefaultConfig gives the defaults. There is none for keys.
func DefaultConfig() Config {
	return Config{Floor: 30 * time.Second, Leeway: 30 * time.Second}
}

// Empty says whether no token can be good.
func (c Config) Empty() bool { return len(c.Keys) == 0 && len(c.Issuers) == 0 }

// Validate names every fault by its key.
func (c Config) Validate() (faults []error) {
	check := func(ok bool, key, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
		}
	}
	c.checkKeys(check)
	c.checkIssuers(check)
	for i, ref := range c.Revoked {
		if err := source.Check(ref); err != nil {
			check(false, fmt.Sprintf("revoked[%d]", i), "%v", err)
		}
	}
	check(c.Floor == 0 || c.Floor >= time.Second, "jwks_floor", "%v must be at least 1s", c.Floor)
	check(c.Leeway >= 0 && c.Leeway <= 10*time.Minute, "leeway", "%v must be from 0 to 10m", c.Leeway)
	return faults
}

type checker func(ok bool, key, format string, args ...any)

func (c Config) checkKeys(check checker) {
	seen := map[string]bool{}
	for i, k := range c.Keys {
		at := fmt.Sprintf("keys[%d]", i)
		check(!seen[k.ID], at+".id", "%q stands twice", k.ID)
		seen[k.ID] = true
		check(k.ID != "" || len(c.Keys) == 1, at+".id", "needed where there are several keys")
		a, known := algorithms[k.Algorithm]
		switch {
		case !known:
			check(false, at+".algorithm", "%q must be %s", k.Algorithm, names(func(algorithm) bool { return true }))
		case a.secret > 0:
			check(len(k.Secret) >= a.secret, at+".secret", "%s needs at least %d bytes, not %d", k.Algorithm, a.secret, len(k.Secret))
			check(k.File == "", at+".file", "%s has a secret, not a file", k.Algorithm)
		default:
			check(k.File != "", at+".file", "%s needs the PEM file of its public key", k.Algorithm)
			check(k.Secret == "", at+".secret", "%s has a file, not a secret", k.Algorithm)
		}
	}
}

func (c Config) checkIssuers(check checker) {
	seen := map[string]bool{}
	if len(c.Keys) > 0 && c.Issuer != "" {
		seen[c.Issuer] = true
	}
	for i, s := range c.Issuers {
		at := fmt.Sprintf("issuers[%d]", i)
		check(s.Issuer != "", at+".issuer", "needed: it says which tokens its keys are for")
		check(!seen[s.Issuer], at+".issuer", "%q stands twice", s.Issuer)
		seen[s.Issuer] = true
		if err := source.Check(s.JWKS); err != nil {
			check(false, at+".jwks", "%v", err)
		}
		a, known := algorithms[s.Algorithm]
		check(s.Algorithm == "" || known && a.kty == "RSA", at+".algorithm", "%q must be %s", s.Algorithm, names(func(a algorithm) bool { return a.kty == "RSA" }))
	}
}

// names lists algorithms for a person.
func names(which func(algorithm) bool) string {
	var list []string
	for name, a := range algorithms {
		if which(a) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}
