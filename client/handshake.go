package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"imwatch/im-server/protocol"

	"github.com/gorilla/websocket"
)

// history is what the server is told of the connection before.
type history struct {
	attempt int    // 1 and the tries since a connection that lived long enough to count
	reason  string // "": there was none
	life    time.Duration
}

// connect makes one connection, up to the server's hello.
func (c *Client) connect(ctx context.Context, h history) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.HandshakeTimeout)
	defer cancel()
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	header, trace := c.header(token)
	c.mu.Lock()
	sess := c.sess
	c.mu.Unlock()
	dialer := websocket.Dialer{
		NetDialContext: c.opts.NetDial, Subprotocols: []string{c.opts.Codec.Name()}, ReadBufferSize: 1024, WriteBufferSize: 1024,
		HandshakeTimeout: c.opts.HandshakeTimeout, EnableCompression: c.opts.Compress,
	}
	if c.opts.NetDial == nil {
		dialer.Proxy = http.ProxyFromEnvironment
	}
	ws, resp, err := dialer.DialContext(ctx, c.address(h, sess), header)
	if resp != nil && resp.Body != nil {
		defer resp.Body.Close() // gorilla has read what there is
	}
	if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
		return nil, refusal(resp)
	}
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	l := &link{ws: ws, opts: &c.opts, trace: trace, since: c.opts.Now()}
	if agreed := ws.Subprotocol(); agreed != c.opts.Codec.Name() && (agreed != "" || c.opts.Codec.Binary()) {
		err = fmt.Errorf("connecting: the server does not speak %s", c.opts.Codec.Name())
	} else if c.opts.FirstFrame {
		err = l.send(protocol.Envelope{Type: protocol.TypeAuth, Payload: &protocol.Auth{
			Token: token, SessionID: sess.id, Epoch: sess.epoch, Seq: sess.seq,
		}})
	}
	if err == nil {
		err = l.readHello(ctx)
	}
	if err != nil {
		_ = ws.Close() // the first error says it
		return nil, err
	}
	return l, nil
}

func (c *Client) token(ctx context.Context) (string, error) {
	if c.opts.Token == nil {
		return "", nil
	}
	token, err := c.opts.Token(ctx)
	if err != nil {
		return "", fmt.Errorf("getting token: %w", err)
	}
	return token, nil
}

func (c *Client) header(token string) (header http.Header, trace string) {
	h := c.opts.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if token != "" && !c.opts.FirstFrame {
		h.Set("Authorization", "Bearer "+token)
	}
	for name, value := range map[string]string{
		protocol.HeaderDevice: c.opts.Device, protocol.HeaderPlatform: c.opts.Platform, protocol.HeaderAppVersion: c.opts.AppVersion,
		"User-Agent": c.opts.UserAgent,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	// A trace of its own for each try, so that what the client saw and what the server wrote can be put together.
	var ids [24]byte
	_, _ = rand.Read(ids[:]) // never fails
	trace = hex.EncodeToString(ids[:16])
	h.Set("Traceparent", "00-"+trace+"-"+hex.EncodeToString(ids[16:])+"-01")
	return h, trace
}

// address is the URL with what the server is told of the past, and the session to go on with.
func (c *Client) address(h history, sess session) string {
	u, err := url.Parse(c.opts.URL)
	if err != nil {
		return c.opts.URL // New has checked it
	}
	q := u.Query()
	q.Set(protocol.QueryVersion, strconv.Itoa(protocol.Version))
	q.Set(protocol.QueryAttempt, strconv.Itoa(h.attempt))
	if h.reason != "" {
		q.Set(protocol.QueryPrevReason, h.reason)
		q.Set(protocol.QueryPrevLife, strconv.FormatInt(h.life.Milliseconds(), 10))
	}
	switch {
	case c.opts.FirstFrame:
		q.Set(protocol.QueryWait, "1")
	case sess.id != "":
		q.Set(protocol.QuerySession, sess.id)
		q.Set(protocol.QueryEpoch, sess.epoch)
		q.Set(protocol.QuerySeq, strconv.FormatInt(sess.seq, 10))
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func refusal(resp *http.Response) error {
	e := &HandshakeError{Status: resp.StatusCode}
	var r protocol.Refusal
	if body, err := io.ReadAll(io.LimitReader(resp.Body, 4096)); err == nil && json.Unmarshal(body, &r) == nil {
		e.Reason, e.Text = r.Reason, r.Text
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = min(time.Duration(s)*time.Second, maxWish)
	}
	return e
}

// maxWish is the longest wait that a server may ask for: a typing error there must not switch clients off.
const maxWish = 15 * time.Minute
