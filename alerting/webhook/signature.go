package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader carries the signature:
//
//	X-Imwatch-Signature: t=1763706600,v1=5257a869…
//
// v1 is the HMAC-SHA256, in hexadecimal, of t, a dot and the body.
const SignatureHeader = "X-Imwatch-Signature"

// Sign gives the header's value for a body sent at a time.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac(secret, t, body))
}

func mac(secret, t string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(t + "."))
	h.Write(body)
	return h.Sum(nil)
}

// ErrSignature is returned (wrapped) by Verify for a signature that does not hold.
var ErrSignature = errors.New("signature does not hold")

// Verify checks a header's value on the receiver's side. A time further from now than tolerance is refused, so that a
// recorded call cannot be played again later.
func Verify(secret, header string, body []byte, now time.Time, tolerance time.Duration) error {
	var t string
	var signatures []string
	for part := range strings.SplitSeq(header, ",") {
		switch key, value, _ := strings.Cut(strings.TrimSpace(part), "="); key {
		case "t":
			t = value
		case "v1":
			signatures = append(signatures, value)
		}
	}
	seconds, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: no time", ErrSignature)
	}
	if d := now.Sub(time.Unix(seconds, 0)).Abs(); d > tolerance {
		return fmt.Errorf("%w: its time is %v away", ErrSignature, d.Round(time.Second))
	}
	want := mac(secret, t, body)
	for _, s := range signatures {
		if got, err := hex.DecodeString(s); err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return ErrSignature
}
