package imserver

import (
	"context"
	"net/http"
	"slices"
	"time"

	"imwatch/im-server/source"
	"imwatch/im-server/token"
)

// JWT is the [Authenticator] of JSON Web Tokens: by keys of the configuration, by the key sets of login servers, and
// against lists of what was revoked. Safe for concurrent use.
type JWT struct{ v *token.Verifier }

// JWTConfig says which tokens are good.
type JWTConfig = token.Config

// JWTKey is a key of a JWTConfig.
type JWTKey = token.Key

// JWTOptions are what a JWT is given. The zero JWTOptions is usable.
type JWTOptions struct {
	Now    func() time.Time // the clock that exp and nbf are checked by; nil: time.Now
	Client *http.Client     // fetches key sets and lists; nil: a plain one that follows no redirects
	// Looked is told of each look at a key, key set or list, Revoked that a list has changed. Both may be nil, and must be
	// safe for concurrent use.
	Looked  func(source.Outcome)
	Revoked func()
}

// NewJWT reads the keys, key sets and lists that are files; those at URLs are fetched when they are needed, and by Run.
func NewJWT(c token.Config, o JWTOptions) (*JWT, error) {
	v, err := token.New(c, token.Options{Now: o.Now, Client: o.Client, Looked: o.Looked, Revoked: o.Revoked})
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the key
	}
	return &JWT{v}, nil
}

// Run keeps keys, key sets and lists up to date until ctx ends.
func (a *JWT) Run(ctx context.Context) { a.v.Run(ctx) }

// Authenticate checks the token. Every error is an *AuthError.
func (a *JWT) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	claims, err := a.v.Verify(ctx, c.Token)
	if err != nil {
		return Identity{}, err //nolint:wrapcheck // an *AuthError
	}
	return Identity{
		UserID: claims.User, Expires: claims.Expires.Add(a.v.Leeway()), TokenID: claims.ID, IssuedAt: claims.IssuedAt,
		SecondFactor: slices.ContainsFunc(claims.Methods, isSecond),
	}, nil
}

// isSecond says whether a method of authentication, by RFC 8176, stands for more than one factor.
func isSecond(amr string) bool { return amr == "mfa" || amr == "otp" || amr == "hwk" || amr == "sc" }

// Revoked says whether a token that was good stands in a list now.
func (a *JWT) Revoked(id Identity) bool {
	return a.v.Revoked(&token.Claims{User: id.UserID, ID: id.TokenID, IssuedAt: id.IssuedAt})
}

// KeyAge is how long ago the key set was confirmed that waits the longest for it; false if there is none.
func (a *JWT) KeyAge() (time.Duration, bool) { return a.v.KeyAge() }
