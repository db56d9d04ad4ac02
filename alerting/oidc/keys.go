package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How often the provider is asked for its keys: from time to time, so that keys that it took back count no more, and for a token
// that names an unknown one, but not for each of a flood of such tokens.
const (
	keysEvery  = 10 * time.Minute
	keysAtMost = 5 * time.Second
	maxKeys    = 1 << 20 // bytes of the answer
)

// algorithms are those that count: signatures that only the provider can make. HMAC would let everybody who checks make tokens.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// keys are the provider's public keys, as they were when it was last asked. Safe for concurrent use.
type keys struct {
	url    string
	client *http.Client
	now    func() time.Time

	asking sync.Mutex // held while the provider is asked
	mu     sync.Mutex // guards the fields below
	set    jose.JSONWebKeySet
	asked  time.Time // successfully or not
	got    time.Time
}

// verify gives the payload of a signed token, which has one signature.
func (k *keys) verify(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	id := jws.Signatures[0].Header.KeyID
	set, asked := k.known()
	if payload, ok := check(set, id, jws); ok {
		return payload, nil
	}
	if err := k.renew(ctx, asked); err != nil && len(set.Keys) == 0 {
		return nil, &RefusedError{Unavailable, "the provider's keys cannot be had: " + err.Error()}
	}
	if set, _ = k.known(); len(set.Keys) > 0 {
		if payload, ok := check(set, id, jws); ok {
			return payload, nil
		}
	}
	return nil, &RefusedError{Signature, fmt.Sprintf("the signature is by none of the provider's keys (kid %q)", id)}
}

func (k *keys) known() (jose.JSONWebKeySet, time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set, k.asked
}

// check tries the keys with an id; where a token names none, all.
func check(set jose.JSONWebKeySet, id string, jws *jose.JSONWebSignature) ([]byte, bool) {
	candidates := set.Keys
	if id != "" {
		candidates = set.Key(id)
	}
	for i := range candidates {
		if candidates[i].Use == "enc" || candidates[i].Algorithm != "" && candidates[i].Algorithm != jws.Signatures[0].Header.Algorithm {
			continue
		}
		if payload, err := jws.Verify(&candidates[i]); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// renew asks the provider, unless somebody did since the given time or just now.
func (k *keys) renew(ctx context.Context, since time.Time) error {
	k.asking.Lock()
	defer k.asking.Unlock()
	k.mu.Lock()
	asked := k.asked
	k.mu.Unlock()
	if asked.After(since) || !asked.IsZero() && k.now().Sub(asked) < keysAtMost {
		return nil
	}
	set, err := k.ask(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = k.now()
	if err == nil {
		k.set, k.got = set, k.asked
	}
	return err
}

func (k *keys) ask(ctx context.Context) (set jose.JSONWebKeySet, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return set, fmt.Errorf("asking for keys: %w", err)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return set, fmt.Errorf("asking for keys: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys))
	if err != nil {
		return set, fmt.Errorf("asking for keys: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return set, fmt.Errorf("asking for keys: HTTP %d", resp.StatusCode)
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return set, fmt.Errorf("reading keys: %w", err)
	}
	public := set.Keys[:0]
	for _, key := range set.Keys {
		if key.Valid() && key.IsPublic() {
			public = append(public, key)
		}
	}
	if set.Keys = public; len(public) == 0 {
		return set, errors.New("reading keys: there is no public key among them")
	}
	return set, nil
}
