package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"imwatch/im-server/protocol"

	"github.com/sirupsen/logrus"
)

// Options says where and how to connect. Only URL is needed.
type Options struct {
	URL string // ws:// or wss://, with the path; "ws://im.example.com/ws/connect"

	// Token is called before every handshake; "" sends none. It may refresh what has expired. nil: no token is sent.
	Token      func(context.Context) (string, error)
	Device     string // names this device; "": not said
	Platform   string // ios, android, web, …; "": not said
	AppVersion string // "": not said
	UserAgent  string // "": Go's own
	Header     http.Header

	Handler Handler

	HandshakeTimeout time.Duration // from dialing to the server's hello; default 10s
	WriteTimeout     time.Duration // after which a send gives the connection up; default 10s
	BackoffBase      time.Duration // upper bound of the first wait; doubles with each failure; default 1s
	BackoffCap       time.Duration // upper bound of all waits; default 60s
	NoReconnect      bool          // the first loss is the end
	Persist          bool          // Dial succeeds at once and goes on trying, instead of failing with the first try

	Log logrus.FieldLogger // nil: silent

	// For tests and simulations.
	NetDial func(ctx context.Context, network, address string) (net.Conn, error) // nil: net.Dialer
	Now     func() time.Time                                                     // nil: time.Now
	Rand    func() float64                                                       // in [0, 1), for jitter; nil: math/rand

	codec protocol.Codec
}

// Handler is what a client calls with what it receives; nil functions are passed over. All calls come from one
// goroutine, in the order of arrival: a function that blocks holds up the next message and, in the end, the
// connection. Functions may send, but must not close the client.
type Handler struct {
	Message func(protocol.Message, protocol.Envelope) // from a user or in a room
	Echo    func(id string, payload json.RawMessage)
	Ack     func(protocol.Ack)
	Error   func(protocol.Error)
	State   func(State)
}

// State is a change of a client's connection.
type State struct {
	Connected bool
	Lost      bool           // a connection was up and ended; false: a try failed
	Attempt   int            // which try this is or was: 1, and one more for each since the last connection that lived 30s
	Hello     protocol.Hello // when connected
	TraceID   string         // of the handshake: the server's log has it too
	Err       error          // why not connected: *CloseError, *HandshakeError or a network error
	Wait      time.Duration  // until the next try
	Final     bool           // there is no next try
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.HandshakeTimeout, 10*time.Second)
	def(&o.WriteTimeout, 10*time.Second)
	def(&o.BackoffBase, time.Second)
	def(&o.BackoffCap, 60*time.Second)
	o.codec = protocol.JSON()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Log == nil {
		l := logrus.New()
		l.SetOutput(io.Discard)
		o.Log = l
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	u, err := url.Parse(o.URL)
	if err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	} else if u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		errs = append(errs, fmt.Errorf("url: found %q, expected ws://host/path or wss://host/path", u.Redacted()))
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"handshake timeout", o.HandshakeTimeout},
		{"write timeout", o.WriteTimeout},
		{"back-off base", o.BackoffBase},
		{"back-off cap", o.BackoffCap},
	} {
		if d.d <= 0 {
			errs = append(errs, fmt.Errorf("%s: found %v, it must be more than 0s", d.name, d.d))
		}
	}
	return errors.Join(errs...)
}
