package factor

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238's, and what authenticator apps speak; HMAC does not need it to resist collisions
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"

	"imwatch/im-server/source"
)

// TOTP checks codes of six digits that change every 30 s (RFC 6238). A code is taken once, up to one step early or late,
// and an account with too many wrong ones has to wait. Safe for concurrent use.
type TOTP struct {
	secrets *source.Kept[map[string][]byte]
	all     bool
	now     func() time.Time

	mu    sync.Mutex
	users map[string]tries
}

// tries is what is remembered of a user: of those that have a secret only, so that its size is bounded.
type tries struct {
	used  int64     // the last step whose code was taken
	wrong int       // codes, without a good one between
	until time.Time // no code is looked at before
}

const (
	step     = 30 * time.Second
	digits   = 6
	maxWrong = 5
	pause    = time.Minute // after each further wrong code
)

// NewTOTP reads the file of secrets: a user and its secret in base32 a line. all refuses users that have none; else they
// need no second factor. The file is read again while Run runs.
func NewTOTP(path string, all bool, o source.Options) (*TOTP, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	t := &TOTP{secrets: source.Keep(path, parseSecrets, o), all: all, now: o.Now, users: map[string]tries{}}
	if err := t.secrets.Refresh(context.Background()); err != nil {
		return nil, fmt.Errorf("reading the secrets: %w", err)
	}
	return t, nil
}

// Run keeps the secrets up to date until ctx ends.
func (t *TOTP) Run(ctx context.Context) { t.secrets.Run(ctx) }

// minSecret is the least length of a secret, RFC 4226.
const minSecret = 16

func parseSecrets(b []byte) (map[string][]byte, error) {
	secrets := map[string][]byte{}
	for n, line := range source.Lines(b) {
		words := strings.Fields(line)
		if len(words) != 2 {
			return nil, fmt.Errorf("line %d has %d words, expected a user and a secret", n, len(words))
		}
		text := strings.ToUpper(strings.TrimRight(words[1], "="))
		secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
		if err != nil || len(secret) < minSecret {
			return nil, fmt.Errorf("line %d: the secret must be base32 of at least %d bytes", n, minSecret)
		}
		if secrets[words[0]] != nil {
			return nil, fmt.Errorf("line %d: the user stands twice", n)
		}
		secrets[words[0]] = secret
	}
	return secrets, nil
}

// Check checks a code.
func (t *TOTP) Check(_ context.Context, r Request) error {
	secrets, _ := t.secrets.Get()
	secret, has := secrets[r.User]
	switch {
	case !has && t.all:
		return fmt.Errorf("%w: the user has no secret", ErrRefused)
	case !has:
		return nil
	case r.Code == "":
		return fmt.Errorf("%w: no code was sent", ErrRefused)
	}
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.users[r.User]
	if now.Before(u.until) {
		return fmt.Errorf("%w: too many wrong codes; the next is looked at later", ErrRefused)
	}
	at, ok := match(secret, r.Code, now)
	switch {
	case !ok:
		if u.wrong++; u.wrong >= maxWrong {
			u.until = now.Add(pause)
		}
		t.users[r.User] = u
		return fmt.Errorf("%w: the code is wrong", ErrRefused)
	case at <= u.used:
		return fmt.Errorf("%w: the code was used before", ErrRefused)
	}
	t.users[r.User] = tries{used: at}
	return nil
}

// match finds the step that a code is of.
func match(secret []byte, sent string, now time.Time) (at int64, ok bool) {
	current := now.Unix() / int64(step/time.Second)
	for s := current - 1; s <= current+1; s++ {
		if subtle.ConstantTimeCompare([]byte(code(secret, s, digits)), []byte(sent)) == 1 {
			at, ok = s, true
		}
	}
	return at, ok
}

// code is HOTP (RFC 4226) of a step.
func code(secret []byte, s int64, n int) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(s))) //nolint:gosec // steps are positive
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	value := uint64(binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff)
	text := fmt.Sprintf("%010d", value)
	return text[len(text)-n:]
}

// Code gives the code of a secret in base32 at a time: what an authenticator app shows.
func Code(secret string, at time.Time) (string, error) {
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(secret, "=")))
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	return code(b, at.Unix()/int64(step/time.Second), digits), nil
}
