package kafkabus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
)

const (
	firstPause = 20 * time.Millisecond
	longPause  = time.Second
)

// pauser spaces the tries of one thing: from firstPause, doubling, to longPause, each with some chance in it.
type pauser struct{ next time.Duration }

// wait pauses once. It returns false if ctx or the bus ended instead.
func (p *pauser) wait(ctx, life context.Context) bool {
	p.next = min(max(p.next*2, firstPause), longPause)
	t := time.NewTimer(p.next*3/4 + rand.N(p.next/2))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-life.Done():
	}
	return false
}

// permanent tells whether trying again is of no use. Whatever is not a clear refusal is tried again: a broker that is
// away, restarting or electing shows itself in too many ways to list.
func permanent(err error) bool {
	var (
		refused  kafka.Error
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		cert     *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		large    *bus.TooLargeError
	)
	switch {
	case errors.As(err, &refused):
		return !refused.Temporary() && refused != kafka.Unknown && refused != kafka.BrokerNotAvailable &&
			refused != kafka.RebalanceInProgress
	case errors.Is(err, bus.ErrUnknownTopic), errors.As(err, &large):
		return true
	}
	return errors.As(err, &cert) || errors.As(err, &unknown) || errors.As(err, &hostname) || errors.As(err, &record)
}

// retry calls try until it succeeds, is refused for good, or ctx ends. Between tries the metadata is forgotten.
func (b *Bus) retry(ctx context.Context, doing string, try func(context.Context) error) error {
	var pause pauser
	out := b.outage(doing)
	var last error
	for {
		err := bus.ErrClosed
		if b.ctx.Err() == nil {
			err = try(ctx)
		}
		switch {
		case err == nil:
			out.over()
			return nil
		case b.ctx.Err() != nil:
			return fmt.Errorf("%s: %w", doing, bus.ErrClosed)
		case ctx.Err() != nil:
			return ended(ctx, doing, last)
		case permanent(err):
			return fmt.Errorf("%s: %w", doing, err)
		}
		last = err
		out.failed(err)
		b.refresh()
		pause.wait(ctx, b.ctx)
	}
}

// ended says that ctx ended and, if tries had failed before, why the last of them did.
func ended(ctx context.Context, doing string, last error) error {
	if last == nil {
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	return fmt.Errorf("%s: %w (it failed before: %v)", doing, ctx.Err(), last) //nolint:errorlint // one cause is enough
}
