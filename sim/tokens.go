package sim

import (
	"errors"
	"fmt"
	"time"

	"imwatch/event"

	"github.com/golang-jwt/jwt/v5"
)

// TokenSource makes the tokens that clients show.
type TokenSource interface {
	// Token gives a token for an account. fault is the handshake reason that it shall be refused for, "" for a good
	// one; a source may refuse faults that it can't make. Safe for concurrent use.
	Token(account, fault string) (string, error)
}

// HS256 makes JSON Web Tokens signed with a shared secret. Every field but Secret may be empty. Use it as a value; it
// is safe for concurrent use.
type HS256 struct {
	Secret   []byte
	KeyID    string
	Issuer   string
	Audience string
	Life     time.Duration    // default 1h
	Now      func() time.Time // nil: time.Now
}

// margin is by how much expired and early tokens miss: more than any server forgives.
const margin = 24 * time.Hour

// Token implements [TokenSource]. It can make every fault of a token but revoked ones, which a server must be told of.
func (s HS256) Token(account, fault string) (string, error) {
	if len(s.Secret) == 0 {
		return "", errors.New("making token: the secret is empty")
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	life := s.Life
	if life == 0 {
		life = time.Hour
	}
	at, secret := now(), s.Secret
	claims := jwt.MapClaims{"sub": account, "iat": at.Add(-time.Second).Unix(), "exp": at.Add(life).Unix()}
	if s.Issuer != "" {
		claims["iss"] = s.Issuer
	}
	if s.Audience != "" {
		claims["aud"] = s.Audience
	}
	switch fault {
	case "":
	case event.HandshakeTokenMissing.Reason:
		return "", nil
	case event.HandshakeTokenMalformed.Reason:
		return "not-a-token", nil
	case event.HandshakeTokenSignature.Reason:
		secret = append([]byte("forged "), s.Secret...)
	case event.HandshakeTokenExpired.Reason:
		claims["exp"], claims["iat"] = at.Add(-margin).Unix(), at.Add(-margin-life).Unix()
	case event.HandshakeTokenNotYetValid.Reason:
		claims["nbf"], claims["exp"] = at.Add(margin).Unix(), at.Add(margin+life).Unix()
	case event.HandshakeTokenAudience.Reason:
		claims["aud"], claims["iss"] = "somebody-else", "somebody-else"
	default:
		return "", fmt.Errorf("making token: can't make one that is refused for %q", fault)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	if s.KeyID != "" {
		token.Header["kid"] = s.KeyID
	}
	text, err := token.SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("making token: %w", err)
	}
	return text, nil
}
