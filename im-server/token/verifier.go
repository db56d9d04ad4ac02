package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"imwatch/event"
	"imwatch/im-server/protocol"
	"imwatch/im-server/source"
)

// Options are what a Verifier is given. The zero Options is usable.
type Options struct {
	Now    func() time.Time     // the clock that exp and nbf are checked by; nil: time.Now
	Client *http.Client         // for key sets and lists; nil: a plain one
	Looked func(source.Outcome) // told of each look at a key set, key or list; may be nil. Safe for concurrent use
	// Revoked is told when a list of what was revoked has changed. It may be nil, and must be safe for concurrent use.
	Revoked func()
}

// Claims is what a good token says.
type Claims struct {
	User     string // sub, a good name
	ID       string // jti; may be empty
	Issuer   string
	IssuedAt time.Time // zero: not said
	Expires  time.Time
	Methods  []string // amr: how the user was authenticated
}

// Verifier checks tokens. exp and sub are required; nbf, iss and aud are checked as configured. Safe for concurrent use.
type Verifier struct {
	parser  *jwt.Parser
	own     *issuer // of the keys in the configuration; nil: there are none
	issuers map[string]*issuer
	lists   []*source.Kept[*revocations]
	run     []func(context.Context)
	leeway  time.Duration
}

// issuer is what the tokens of one issuer are checked by.
type issuer struct {
	validator *jwt.Validator
	fixed     map[string]*source.Kept[key] // keys of the configuration
	secrets   keySet
	published *source.Kept[keySet]
}

// New reads the keys, and what key sets and lists are in files. Those at URLs are fetched by Run, or when the first
// token needs them.
func New(c Config, o Options) (*Verifier, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if c.Floor == 0 {
		c.Floor = DefaultConfig().Floor
	}
	v := &Verifier{issuers: map[string]*issuer{}, leeway: c.Leeway}
	methods := make([]string, 0, len(algorithms))
	for name := range algorithms {
		methods = append(methods, name)
	}
	v.parser = jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithoutClaimsValidation())
	errs := []error{v.addKeys(c, o)}
	for i, s := range c.Issuers {
		algorithm := s.Algorithm
		if algorithm == "" {
			algorithm = "RS256"
		}
		set := source.Keep(s.JWKS, parseJWKS(algorithm), source.Options{Floor: c.Floor, Now: o.Now, Client: o.Client, Done: o.Looked})
		v.issuers[s.Issuer] = &issuer{validator: validator(c.Leeway, o.Now, s.Issuer, s.Audience), published: set}
		errs = append(errs, keep(v, set, fmt.Sprintf("issuers[%d].jwks", i)))
	}
	for i, ref := range c.Revoked {
		list := source.Keep(ref, parseRevocations, source.Options{Every: revokedEvery(ref), Now: o.Now, Client: o.Client, Done: revokedDone(o)})
		v.lists = append(v.lists, list)
		errs = append(errs, keep(v, list, fmt.Sprintf("revoked[%d]", i)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return v, nil
}

// revokedEvery is how often a list is looked at: it cannot wait as long as keys.
func revokedEvery(ref string) time.Duration {
	if source.IsURL(ref) {
		return 30 * time.Second
	}
	return 0 // as any file
}

func revokedDone(o Options) func(source.Outcome) {
	return func(out source.Outcome) {
		if o.Looked != nil {
			o.Looked(out)
		}
		if out.Changed && o.Revoked != nil {
			o.Revoked()
		}
	}
}

func (v *Verifier) addKeys(c Config, o Options) error {
	if len(c.Keys) == 0 {
		return nil
	}
	v.own = &issuer{validator: validator(c.Leeway, o.Now, c.Issuer, c.Audience), fixed: map[string]*source.Kept[key]{}, secrets: keySet{}}
	var errs []error
	for i, k := range c.Keys {
		if algorithms[k.Algorithm].secret > 0 {
			v.own.secrets[k.ID] = key{k.Algorithm, []byte(k.Secret)}
			continue
		}
		kept := source.Keep(k.File, parsePEM(k.Algorithm), source.Options{Now: o.Now, Done: o.Looked})
		v.own.fixed[k.ID] = kept
		errs = append(errs, keep(v, kept, fmt.Sprintf("keys[%d].file", i)))
	}
	return errors.Join(errs...)
}

// keep lets Run keep a document up to date, and reads it now if it is a file: one that is wrong at the start is a fault
// of the configuration.
func keep[T any](v *Verifier, k *source.Kept[T], at string) error {
	v.run = append(v.run, k.Run)
	if source.IsURL(k.Ref()) {
		return nil
	}
	if err := k.Refresh(context.Background()); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}

func validator(leeway time.Duration, now func() time.Time, iss, aud string) *jwt.Validator {
	options := []jwt.ParserOption{jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(now)}
	if iss != "" {
		options = append(options, jwt.WithIssuer(iss))
	}
	if aud != "" {
		options = append(options, jwt.WithAudience(aud))
	}
	return jwt.NewValidator(options...)
}

// Run keeps keys, key sets and lists up to date until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, run := range v.run {
		all.Go(func() { run(ctx) })
	}
	all.Wait()
}

// Leeway is how long a token is good past its exp.
func (v *Verifier) Leeway() time.Duration { return v.leeway }

// MaxBytes is the longest token that is looked at.
const MaxBytes = 8 << 10

// claims is what is read of a token.
type claims struct {
	jwt.RegisteredClaims
	Methods []string `json:"amr"`
}

// Verify checks a token. Every error is an *Error.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	switch {
	case token == "":
		return Claims{}, &Error{Reason: event.HandshakeTokenMissing}
	case len(token) > MaxBytes:
		return Claims{}, &Error{Reason: event.HandshakeTokenMalformed, Err: fmt.Errorf("%d bytes, at most %d are taken", len(token), MaxBytes)}
	}
	var said claims
	_, err := v.parser.ParseWithClaims(token, &said, func(t *jwt.Token) (any, error) { return v.key(ctx, t, said.Issuer) })
	if err == nil {
		err = v.issuer(said.Issuer).validator.Validate(said)
	}
	user := said.Subject
	if protocol.CheckName(user) != nil {
		user = ""
	}
	if err != nil {
		reason, cause := fault(err)
		return Claims{}, &Error{Reason: reason, UserID: user, Err: cause}
	}
	if user == "" {
		return Claims{}, &Error{Reason: event.HandshakeTokenMalformed, Err: errors.New("sub is missing or no name of 1 to 128 bytes")}
	}
	c := Claims{User: user, ID: said.ID, Issuer: said.Issuer, Expires: said.ExpiresAt.Time, Methods: said.Methods}
	if said.IssuedAt != nil {
		c.IssuedAt = said.IssuedAt.Time
	}
	return c, v.checkRevoked(ctx, &c)
}

// checkRevoked refuses a token that stands in a list. Nobody is let in while a list has never been read.
func (v *Verifier) checkRevoked(ctx context.Context, c *Claims) error {
	for _, list := range v.lists {
		if _, ok := list.Get(); !ok {
			if err := list.Refresh(ctx); err != nil {
				return &Error{Reason: event.HandshakeDependency, UserID: c.User, Err: fmt.Errorf("the list of what was revoked cannot be had: %w", err)}
			}
		}
	}
	if v.Revoked(c) {
		return &Error{Reason: event.HandshakeTokenRevoked, UserID: c.User}
	}
	return nil
}

// Revoked says whether a token that was good stands in a list now.
func (v *Verifier) Revoked(c *Claims) bool {
	return slices.ContainsFunc(v.lists, func(list *source.Kept[*revocations]) bool {
		r, ok := list.Get()
		return ok && r.match(c)
	})
}

// KeyAge is how old the oldest key set is that its issuer has not confirmed since; false if there is none.
func (v *Verifier) KeyAge() (oldest time.Duration, ok bool) {
	for _, i := range v.issuers {
		if age, known := i.published.Age(); known {
			oldest, ok = max(oldest, age), true
		}
	}
	return oldest, ok
}

// issuer gives what tokens of an issuer are checked by: its own keys, or else those of the configuration.
func (v *Verifier) issuer(iss string) *issuer {
	if i, ok := v.issuers[iss]; ok {
		return i
	}
	return v.own
}

// key finds the key of a token, and refuses it for any algorithm but its own.
func (v *Verifier) key(ctx context.Context, t *jwt.Token, iss string) (any, error) {
	kid, isText := t.Header["kid"].(string)
	if _, has := t.Header["kid"]; has && !isText {
		return nil, errors.New("kid is no text")
	}
	if _, has := t.Header["crit"]; has {
		return nil, errors.New("crit asks for what is not understood") // RFC 7515: it must be refused then
	}
	i := v.issuer(iss)
	if i == nil {
		return nil, jwt.ErrTokenInvalidIssuer
	}
	k, ok, err := i.find(ctx, kid)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, errors.New("kid of no key")
	case t.Method.Alg() != k.algorithm:
		return nil, errors.New("algorithm of another key")
	}
	return k.key, nil
}

// find gives the key of a kid. A published set that does not have it may be behind: it is fetched again, though not
// sooner than its floor allows.
func (i *issuer) find(ctx context.Context, kid string) (key, bool, error) {
	if i.published == nil {
		k, ok := i.configured(kid)
		return k, ok, nil
	}
	if set, ok := i.published.Get(); ok {
		if k, ok := set.find(kid); ok {
			return k, true, nil
		}
	}
	err := i.published.Refresh(ctx)
	set, _ := i.published.Get()
	k, ok := set.find(kid)
	if !ok && err != nil {
		return k, false, fmt.Errorf("%w: %w", errKeys, err)
	}
	return k, ok, nil
}

// configured gives a key of the configuration.
func (i *issuer) configured(kid string) (key, bool) {
	if k, ok := i.fixed[kid]; ok {
		return k.Get()
	}
	if k, ok := i.secrets[kid]; ok || kid != "" || len(i.fixed)+len(i.secrets) != 1 {
		return k, ok
	}
	for _, k := range i.fixed {
		return k.Get()
	}
	return i.secrets.find("")
}
