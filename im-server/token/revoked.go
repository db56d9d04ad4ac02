package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// revocations is one list of what was revoked.
type revocations struct {
	Tokens []string             `json:"tokens"` // by jti
	Users  map[string]time.Time `json:"users"`  // what was issued to them before
	Before time.Time            `json:"before"` // what was issued to anybody before

	tokens map[string]struct{}
}

// parseRevocations reads {"tokens": ["jti"], "users": {"u-1": "2026-11-21T10:00:00Z"}, "before": "2026-11-01T00:00:00Z"}.
// An unknown name is an error: a list must not be weaker than it was meant.
func parseRevocations(b []byte) (*revocations, error) {
	r := new(revocations)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(r); err != nil {
		return nil, fmt.Errorf("no list of tokens, users and before: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands after the list")
	}
	r.tokens = make(map[string]struct{}, len(r.Tokens))
	for _, id := range r.Tokens {
		r.tokens[id] = struct{}{}
	}
	r.Tokens = nil
	return r, nil
}

// match says whether the list has a token. One that does not say when it was issued counts as issued long ago.
func (r *revocations) match(c *Claims) bool {
	if _, listed := r.tokens[c.ID]; listed && c.ID != "" {
		return true
	}
	if before, listed := r.Users[c.User]; listed && c.IssuedAt.Before(before) {
		return true
	}
	return c.IssuedAt.Before(r.Before)
}
