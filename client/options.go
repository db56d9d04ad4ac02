package client

import (
	"cmp"
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

	"imwatch/client/wal"
	"imwatch/im-server/protocol"

	"github.com/sirupsen/logrus"
)

// Options says where and how to connect. Only URL is needed.
type Options struct {
	URL string // ws:// or wss://, with the path; "ws://im.example.com/ws/connect"

	// Token is called before every handshake and by [Client.Refresh]; "" sends none. It may refresh what has expired. nil:
	// no token is sent.
	Token      func(context.Context) (string, error)
	FirstFrame bool   // the token goes into the first envelope instead of the handshake's header
	Device     string // names this device: what it has not received waits for it; "": not said
	Platform   string // ios, android, web, …; "": not said
	AppVersion string // "": not said
	UserAgent  string // "": Go's own
	Header     http.Header

	Handler Handler

	// Queue is the file that messages wait in until the server has acknowledged them; its folder must be there. "": they
	// wait in memory, and are lost with the process.
	Queue         string
	QueueMessages int   // that wait at one time; default 10,000
	QueueBytes    int64 // of these; default 16 MiB
	// Pipeline is how many messages of one conversation may be on the way to the server at one time; default 1. With more
	// it is quicker over a slow network, but what the server refuses for now is overtaken by what follows it.
	Pipeline int

	Codec    protocol.Codec // nil: JSON
	Compress bool           // offers permessage-deflate, and packs envelopes of 1 KiB and more where the server agrees

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
}

// Handler is what a client calls with what it receives; nil functions are passed over. The calls, and those of the
// functions given to [Client.Send], come one after another from one goroutine, in the order of arrival. A function may
// block and use the client, but must not wait for its end: meanwhile up to a thousand envelopes are held, then the
// connection is. A message is acknowledged when Message has returned.
type Handler struct {
	Message  func(protocol.Message, protocol.Envelope) // each once, as long as it is among the last few thousand
	Gap      func(Gap)
	Presence func(protocol.Presence) // of a user that is watched
	Echo     func(id string, payload json.RawMessage)
	Ack      func(protocol.Ack)   // of whatever was sent
	Error    func(protocol.Error) // of whatever was sent
	State    func(State)
}

// Gap tells that messages may be missing. Exactly one of To, Room and Global says where, or Reason says why all may have a
// gap: the session could not be resumed. Private messages are not lost by that, they wait for the device.
type Gap struct {
	To, Room, Global string
	Missed           int64  // 0: not known
	Reason           string // of the contract's resume reasons
}

// State is a change of a client's connection.
type State struct {
	Connected bool
	Lost      bool           // a connection was up and ended; false: a try failed
	Attempt   int            // which try this is or was: 1, and one more for each since the last connection that lived 30s
	Hello     protocol.Hello // when connected; Resumed says whether the session goes on
	TraceID   string         // of the handshake: the server's log has it too
	Err       error          // why not connected: *CloseError, *HandshakeError or a network error
	Wait      time.Duration  // until the next try
	Final     bool           // there is no next try
}

func (o Options) withDefaults() Options {
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, 10*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	o.BackoffBase = cmp.Or(o.BackoffBase, time.Second)
	o.BackoffCap = cmp.Or(o.BackoffCap, 60*time.Second)
	o.Pipeline = cmp.Or(o.Pipeline, 1)
	if o.Codec == nil {
		o.Codec = protocol.JSON()
	}
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
	if o.Pipeline < 1 {
		errs = append(errs, fmt.Errorf("pipeline: found %d, it must be at least 1", o.Pipeline))
	}
	if o.FirstFrame && o.Token == nil {
		errs = append(errs, errors.New("first frame: there is no token to send in it"))
	}
	return errors.Join(errs...)
}

func (o Options) openQueue() (*wal.Log, error) {
	q, err := wal.Open(o.Queue, wal.Options{Messages: o.QueueMessages, Bytes: o.QueueBytes})
	if err == nil && q.Cut() > 0 {
		o.Log.WithField("bytes", q.Cut()).Info("the end of the queue's file was not whole: its process died while writing")
	}
	return q, err
}
