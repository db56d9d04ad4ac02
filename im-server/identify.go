package imserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/event"
	"imwatch/im-server/factor"
)

// letIn checks a client that wants to connect: its token, how often its account connects, its second factor. It notes
// who it is. nil: it may come in.
func (s *Server) letIn(ctx context.Context, client *clientInfo, token, code string) *refusal {
	if r := s.identify(ctx, client, token); r != nil {
		return r
	}
	if wait, ok := s.userLimiter.allow(client.user, s.now()); !ok {
		return &refusal{reason: event.HandshakeRateLimitedUser, wait: wait}
	}
	return s.checkFactor(ctx, client, token, code)
}

// identify checks a client's token, and notes who it is.
func (s *Server) identify(ctx context.Context, client *clientInfo, token string) *refusal {
	id, err := s.auth.Authenticate(ctx, Credentials{
		Token: token, DeviceID: client.device, Platform: client.platform, ClientIP: client.ip,
	})
	if err != nil {
		reason, user, cause := authFailure(ctx, err)
		client.user = user
		return &refusal{reason: reason, err: cause, wait: fullRetry}
	}
	if !goodName(id.UserID) {
		return &refusal{reason: event.HandshakeInternal, err: fmt.Errorf("the authenticator gave a user id of %d bytes", len(id.UserID))}
	}
	client.user, client.identity = id.UserID, &id
	return nil
}

// checkFactor asks for a second factor, once for each token: a client that comes back with the same one cannot bring
// another code without its person.
func (s *Server) checkFactor(ctx context.Context, client *clientInfo, token, code string) *refusal {
	if s.factor == nil || client.identity.SecondFactor || s.passed.has(token, s.now()) {
		return nil
	}
	err := s.factor.Check(ctx, factor.Request{User: client.user, Code: code, Device: client.device, ClientIP: client.ip})
	switch {
	case err == nil:
		s.passed.add(token, client.identity.Expires, s.now())
		return nil
	case errors.Is(err, factor.ErrRefused):
		return &refusal{reason: event.HandshakeSecondFactor, err: err}
	}
	return &refusal{reason: event.HandshakeDependency, err: fmt.Errorf("second factor: %w", err), wait: fullRetry}
}

// closeFor gives how a connection ends whose first envelope was refused.
func closeFor(r event.HandshakeReason) event.CloseReason {
	switch r.Reason {
	case event.HandshakeTokenExpired.Reason, event.HandshakeTokenNotYetValid.Reason:
		return event.CloseAuthExpired // with another token the client may come again
	case event.HandshakeRateLimitedUser.Reason:
		return event.CloseRateLimited
	case event.HandshakeSecondFactor.Reason:
		return event.ClosePermission
	case event.HandshakeDependency.Reason, event.HandshakeInternal.Reason:
		return event.CloseServerError
	}
	return event.CloseAuthRevoked
}

// passed remembers the tokens whose second factor was good, as long as they are. Safe for concurrent use.
type passed struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
}

// maxPassed bounds the memory to some fifteen megabytes; a token that is forgotten is asked for its factor again.
const (
	maxPassed  = 100_000
	passedHour = time.Hour // for a token that does not end
)

func (p *passed) has(token string, now time.Time) bool {
	key := sha256.Sum256([]byte(token))
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Before(p.until[key])
}

func (p *passed) add(token string, until, now time.Time) {
	if until.IsZero() {
		until = now.Add(passedHour)
	}
	key := sha256.Sum256([]byte(token))
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range p.until {
		if len(p.until) < maxPassed {
			break
		}
		delete(p.until, k)
	}
	p.until[key] = until
}

// sweep forgets the tokens that have ended.
func (p *passed) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, until := range p.until {
		if !now.Before(until) {
			delete(p.until, k)
		}
	}
}
