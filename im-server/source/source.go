// Package source keeps documents that change while a program runs: keys, lists, secrets, in a file or at a URL. A
// document is read again when it changes; while it cannot be read, or is wrong, the last good version goes on.
package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// MaxBytes is the largest document that is taken.
const MaxBytes = 16 << 20

// fetched is what reading a document gave.
type fetched struct {
	body    []byte
	changed bool          // else it is the version from before, and body is empty
	fresh   time.Duration // how long the server says it is fresh; 0: not said
}

// fetcher reads one document, and tells whether it changed since the last that was taken. Not safe for concurrent use.
type fetcher interface {
	fetch(ctx context.Context) (fetched, error)
	taken() // the body of the last fetch is good: do not give it again
}

// IsURL says whether a reference is a URL; else it is the path of a file.
func IsURL(ref string) bool { return strings.Contains(ref, "://") }

// Check says what is wrong with a reference. Who can change what is read lets people in: plain http is for this host only.
func Check(ref string) error {
	if !IsURL(ref) {
		if strings.TrimSpace(ref) == "" {
			return errors.New("empty, expected a path or an https:// URL")
		}
		return nil
	}
	u, err := url.Parse(ref)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.Host == "":
		return errors.New("a URL without a host")
	case u.User != nil:
		return errors.New("a password must not stand in a URL")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s:// is not taken, expected https:// (http:// for this host only)", u.Scheme)
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// page is a document at a URL.
type page struct {
	url       string
	client    *http.Client
	header    http.Header
	seen, was version
}

// version is what a server calls one version of a document.
type version struct {
	etag, modified string
	content        [sha256.Size]byte
}

func (p *page) fetch(ctx context.Context) (fetched, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return fetched{}, fmt.Errorf("asking %s: %w", p.url, err)
	}
	maps.Copy(req.Header, p.header)
	if p.was.etag != "" {
		req.Header.Set("If-None-Match", p.was.etag)
	}
	if p.was.modified != "" {
		req.Header.Set("If-Modified-Since", p.was.modified)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return fetched{}, fmt.Errorf("fetching: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // it was read, or is of no use
	f := fetched{fresh: freshness(res.Header)}
	switch {
	case res.StatusCode == http.StatusNotModified && p.was != (version{}):
		return f, nil
	case res.StatusCode != http.StatusOK:
		return fetched{}, fmt.Errorf("fetching %s: the answer is %s", p.url, res.Status)
	}
	if f.body, err = io.ReadAll(io.LimitReader(res.Body, MaxBytes+1)); err != nil {
		return fetched{}, fmt.Errorf("fetching %s: %w", p.url, err)
	}
	if len(f.body) > MaxBytes {
		return fetched{}, fmt.Errorf("fetching %s: more than %d bytes", p.url, MaxBytes)
	}
	p.seen = version{res.Header.Get("ETag"), res.Header.Get("Last-Modified"), sha256.Sum256(f.body)}
	f.changed = p.seen.content != p.was.content
	if !f.changed {
		p.was = p.seen
	}
	return f, nil
}

func (p *page) taken() { p.was = p.seen }

// freshness reads Cache-Control.
func freshness(h http.Header) time.Duration {
	for part := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
		if err != nil || seconds < 0 {
			return 0
		}
		return time.Duration(seconds) * time.Second
	}
	return 0
}

// Lines gives the lines of a text that are neither empty nor a comment (#), with their numbers.
func Lines(text []byte) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range bytes.Lines(text) {
			n++
			before, _, _ := strings.Cut(string(line), "#")
			if before = strings.TrimSpace(before); before != "" && !yield(n, before) {
				return
			}
		}
	}
}
