package sim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	imserver "imwatch/im-server"
	"imwatch/sim"
)

const secret = "a secret of at least thirty-two bytes"

func jwtConfig() imserver.JWTConfig {
	return imserver.JWTConfig{
		Keys: []imserver.JWTKey{{ID: "k1", Algorithm: "HS256", Secret: secret}}, Issuer: "im", Audience: "im-clients", Leeway: 30 * time.Second,
	}
}

func tokens() sim.HS256 {
	return sim.HS256{Secret: []byte(secret), KeyID: "k1", Issuer: "im", Audience: "im-clients"}
}

// Each fault must be refused by the real authenticator for just that.
func TestTokensAreRefusedAsAsked(t *testing.T) {
	t.Parallel()
	auth, err := imserver.NewJWT(jwtConfig(), imserver.JWTOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range []event.HandshakeReason{
		{},
		event.HandshakeTokenMissing, event.HandshakeTokenMalformed, event.HandshakeTokenSignature, event.HandshakeTokenExpired,
		event.HandshakeTokenNotYetValid, event.HandshakeTokenAudience,
	} {
		token, err := tokens().Token("u-1", fault.Reason)
		if err != nil {
			t.Fatal(err)
		}
		id, err := auth.Authenticate(t.Context(), imserver.Credentials{Token: token})
		var ae *imserver.AuthError
		switch {
		case fault.Reason == "" && (err != nil || id.UserID != "u-1"):
			t.Errorf("a good token: %v, %v", id, err)
		case fault.Reason != "" && (!errors.As(err, &ae) || ae.Reason != fault):
			t.Errorf("%s: refused with %v", fault.Reason, err)
		}
	}
}

func TestTokensThatCannotBeMade(t *testing.T) {
	t.Parallel()
	if _, err := tokens().Token("u-1", event.HandshakeTokenRevoked.Reason); err == nil || !strings.Contains(err.Error(), `refused for "token_revoked"`) {
		t.Error(err)
	}
	if _, err := (sim.HS256{}).Token("u-1", ""); err == nil || !strings.Contains(err.Error(), "secret is empty") {
		t.Error(err)
	}
}
