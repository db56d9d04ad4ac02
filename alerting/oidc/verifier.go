package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/sirupsen/logrus"
)

// Person is whose a token is.
type Person struct {
	Name    string
	Role    string // the highest of the groups'; "": none of them has one
	Expires time.Time
}

// Verifier checks tokens of one provider. Make one with New; Run finds the provider and keeps its keys fresh. Safe for
// concurrent use.
type Verifier struct {
	cfg    Config
	ranked []string // roles, the least first
	client *http.Client
	now    func() time.Time
	log    logrus.FieldLogger

	mu    sync.Mutex
	found *keys // nil: the provider has not been found yet
}

// New makes a verifier of a valid configuration. roles are those that there are, the least first; client is what the provider is
// asked with. No network is used before Run.
func New(cfg Config, roles []string, client *http.Client, now func() time.Time, log logrus.FieldLogger) *Verifier {
	return &Verifier{cfg: cfg, ranked: roles, client: client, now: now, log: log}
}

// The pauses between two tries to find the provider.
const (
	firstPause = time.Second
	maxPause   = time.Minute
	patience   = 10 * time.Second // for an answer
)

// Run finds the provider, again and again where it does not answer, and asks for its keys from time to time, until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	failed := false
	for pause := firstPause; v.keys() == nil; pause = min(2*pause, maxPause) {
		err := v.find(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			break
		}
		if !failed {
			v.log.WithError(err).WithField("issuer", v.cfg.Issuer).Error("the OpenID Connect provider cannot be found: its tokens do not count yet, the interface's own do; trying again")
		}
		failed = true
		if !wait(ctx, pause) {
			return
		}
	}
	v.log.WithField("issuer", v.cfg.Issuer).Info("tokens of the OpenID Connect provider count")
	for failed := false; wait(ctx, keysEvery); {
		k := v.keys()
		_, asked := k.known()
		asking, cancel := context.WithTimeout(ctx, patience)
		err := k.renew(asking, asked)
		cancel()
		if err != nil && !failed && ctx.Err() == nil {
			v.log.WithError(err).WithField("issuer", v.cfg.Issuer).Warn("the keys of the OpenID Connect provider cannot be had, those known count on; trying again")
		}
		failed = err != nil
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// find asks the provider where its keys are, and for them.
func (v *Verifier) find(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, v.client), patience)
	defer cancel()
	p, err := oidc.NewProvider(ctx, v.cfg.Issuer)
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	var says struct {
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&says); err != nil || says.Keys == "" {
		return errors.New("discovery: the provider does not say where its keys are (jwks_uri)")
	}
	k := &keys{url: says.Keys, client: v.client, now: v.now}
	if err := k.renew(ctx, time.Time{}); err != nil {
		return err
	}
	v.mu.Lock()
	v.found = k
	v.mu.Unlock()
	return nil
}

func (v *Verifier) keys() *keys {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.found
}

// Ready says whether the provider has been found.
func (v *Verifier) Ready() bool { return v.keys() != nil }

// maxToken bounds a token, in bytes.
const maxToken = 16 << 10

// claims are those that every token has, or may have.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Party     string   `json:"azp"`
	ClientID  string   `json:"client_id"`
	Expires   *seconds `json:"exp"`
	NotBefore *seconds `json:"nbf"`
	Issued    *seconds `json:"iat"`
}

// Check says whose a token is. An error is a *RefusedError.
func (v *Verifier) Check(ctx context.Context, token string) (Person, error) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return Person{}, &RefusedError{Malformed, "the token is no JWT"}
	}
	jws, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		if wrong, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok && wrong.Got != "" {
			return Person{}, &RefusedError{Algorithm, fmt.Sprintf("tokens signed with %q do not count", wrong.Got)}
		}
		return Person{}, &RefusedError{Malformed, "the token is no JWT that can be read"}
	}
	// Whose it claims to be is looked at first: the provider is not asked about tokens of others.
	var c claims
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &c); err != nil {
		return Person{}, &RefusedError{Malformed, "the token's claims cannot be read"}
	}
	if c.Issuer != v.cfg.Issuer {
		return Person{}, &RefusedError{Issuer, fmt.Sprintf("the token is by %q, not by %q", c.Issuer, v.cfg.Issuer)}
	}
	k := v.keys()
	if k == nil {
		return Person{}, &RefusedError{Unavailable, "the provider " + v.cfg.Issuer + " has not been found yet"}
	}
	payload, err := k.verify(ctx, jws)
	if err != nil {
		return Person{}, err
	}
	if err := v.allowed(&c); err != nil {
		return Person{}, err
	}
	return v.person(&c, payload)
}

// allowed checks for whom and when the token is.
func (v *Verifier) allowed(c *claims) error {
	now := v.now()
	switch {
	case c.Expires == nil:
		return &RefusedError{Expired, "the token has no exp: it would never expire"}
	case !now.Before(c.Expires.Time().Add(v.cfg.Skew)):
		return &RefusedError{Expired, "the token expired at " + c.Expires.Time().Format(time.RFC3339)}
	case c.NotBefore != nil && now.Before(c.NotBefore.Time().Add(-v.cfg.Skew)):
		return &RefusedError{NotYet, "the token counts from " + c.NotBefore.Time().Format(time.RFC3339) + " on; is a clock wrong?"}
	case c.Issued != nil && now.Before(c.Issued.Time().Add(-v.cfg.Skew)):
		return &RefusedError{NotYet, "the token was made at " + c.Issued.Time().Format(time.RFC3339) + ", in the future; is a clock wrong?"}
	}
	byClient := slices.ContainsFunc(v.cfg.ClientIDs, func(id string) bool { return slices.Contains(c.Audience, id) })
	if !byClient && (v.cfg.Audience == "" || !slices.Contains(c.Audience, v.cfg.Audience)) {
		return &RefusedError{Audience, fmt.Sprintf("the token is for %q, not for us", []string(c.Audience))}
	}
	party := c.Party
	if party == "" {
		party = c.ClientID
	}
	if party == "" && byClient { // an ID token for one client alone
		return nil
	}
	if len(v.cfg.ClientIDs) > 0 && !slices.Contains(v.cfg.ClientIDs, party) {
		return &RefusedError{Client, fmt.Sprintf("the token was made for the client %q, which does not count", party)}
	}
	return nil
}
