package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/shipper/input"
	"imwatch/shipper/input/listen"
	"imwatch/shipper/parse/rfc5424"
)

// Config says where syslog messages are received.
type Config struct {
	TCP            string     `yaml:"tcp" doc:"address to listen at, such as :6514; messages are framed by their length or by newlines; empty: none"`
	TLS            listen.TLS `yaml:"tls" doc:"TLS of the TCP listener"`
	UDP            string     `yaml:"udp" doc:"address to listen at for datagrams; empty: none"`
	MaxConnections int        `yaml:"max_connections" doc:"most TCP connections at once; more are closed again"`
	MaxMessage     int        `yaml:"max_message" doc:"longest message in bytes; more is cut off and counted"`
	QueueBytes     int        `yaml:"queue_bytes" doc:"most bytes of datagrams that wait while nothing more can be taken; what comes then is dropped and counted"`
}

// SetDefaults fills in what is not the user's to say.
func (c *Config) SetDefaults() {
	c.MaxConnections, c.MaxMessage, c.QueueBytes = 1000, input.MaxPiece, 4<<20
}

// Validate names every fault by its key. None is no fault.
func (c *Config) Validate() error {
	if c == nil {
		return nil
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.TCP == "" && c.UDP == "" {
		bad("tcp: one of tcp and udp is needed")
	}
	for key, addr := range map[string]string{"tcp": c.TCP, "udp": c.UDP} {
		if addr == "" {
			continue
		}
		if err := listen.Address(addr); err != nil {
			bad("%s: %w", key, err)
		}
	}
	if err := c.TLS.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.TLS.On() && c.TCP == "" {
		bad("tls: it is for tcp, which is not set")
	}
	if c.MaxConnections < 1 || c.MaxConnections > 100_000 {
		bad("max_connections: found %d, allowed are 1 to 100000", c.MaxConnections)
	}
	if c.MaxMessage < 480 || c.MaxMessage > input.MaxPiece {
		bad("max_message: found %d, allowed are 480 to %d", c.MaxMessage, input.MaxPiece)
	}
	if c.QueueBytes < 64<<10 || c.QueueBytes > 1<<30 {
		bad("queue_bytes: found %d, allowed are 65536 to %d", c.QueueBytes, 1<<30)
	}
	return errors.Join(errs...)
}

// What happens to messages, and to connections, that Options.Count is told.
const (
	Dropped  = "dropped"  // a datagram, as too many wait
	Cut      = "cut"      // a message that was too long
	Unframed = "unframed" // a connection whose bytes are no syslog
	Refused  = "refused"  // a connection, as there are too many
)

// Options say what a Server works with.
type Options struct {
	Config Config
	Whole  bool // messages are given with their header; else without
	Log    logrus.FieldLogger
	Count  func(what string) // safe for concurrent use; nil: nobody counts
	Now    func() time.Time
}

// Server receives syslog messages.
type Server struct {
	opts Options
	tcp  net.Listener // nil: none
	udp  net.PacketConn
	free chan struct{} // one for each connection there may be
	wait sync.WaitGroup
}

// Listen binds the addresses. Run closes them.
func Listen(o Options) (*Server, error) {
	if o.Count == nil {
		o.Count = func(string) {}
	}
	s := &Server{opts: o, free: make(chan struct{}, o.Config.MaxConnections)}
	secure, err := o.Config.TLS.Config(o.Now)
	if err != nil {
		return nil, fmt.Errorf("syslog: %w", err)
	}
	if o.Config.TCP != "" {
		if s.tcp, err = net.Listen("tcp", o.Config.TCP); err != nil { //nolint:noctx // binding does not wait
			return nil, fmt.Errorf("syslog.tcp: %w", err)
		}
		if secure != nil {
			s.tcp = tls.NewListener(s.tcp, secure)
		}
	}
	if o.Config.UDP != "" {
		if s.udp, err = net.ListenPacket("udp", o.Config.UDP); err != nil { //nolint:noctx // binding does not wait
			return nil, errors.Join(fmt.Errorf("syslog.udp: %w", err), s.Close())
		}
		if u, ok := s.udp.(*net.UDPConn); ok {
			_ = u.SetReadBuffer(o.Config.QueueBytes) // as much as the system allows
		}
	}
	return s, nil
}

// Addrs gives the addresses that were bound.
func (s *Server) Addrs() (tcp, udp net.Addr) {
	if s.tcp != nil {
		tcp = s.tcp.Addr()
	}
	if s.udp != nil {
		udp = s.udp.LocalAddr()
	}
	return tcp, udp
}

// Close releases the addresses of a server that is not run.
func (s *Server) Close() error {
	var errs []error
	if s.tcp != nil {
		errs = append(errs, s.tcp.Close())
	}
	if s.udp != nil {
		errs = append(errs, s.udp.Close())
	}
	return errors.Join(errs...)
}

// Ends is false: somebody may connect at any time.
func (s *Server) Ends() bool { return false }

// Run receives until ctx ends.
func (s *Server) Run(ctx context.Context, give input.Give) error {
	defer s.wait.Wait()
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // what was received stands in no file: nothing more to do
	defer stop()
	if s.udp != nil {
		s.wait.Go(func() { s.datagrams(ctx, give) })
	}
	if s.tcp == nil {
		<-ctx.Done()
		return nil
	}
	for {
		c, err := s.tcp.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close()
			}
			return nil
		case err != nil:
			s.opts.Log.WithError(err).Warn("a syslog connection could not be accepted")
			select {
			case <-time.After(50 * time.Millisecond): // out of descriptors, as a rule
			case <-ctx.Done():
			}
			continue
		}
		select {
		case s.free <- struct{}{}:
			s.wait.Go(func() { s.serve(ctx, c, give); <-s.free })
		default:
			s.opts.Count(Refused)
			_ = c.Close()
		}
	}
}

// serve receives from one connection.
func (s *Server) serve(ctx context.Context, c net.Conn, give input.Give) {
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if err := s.stream(ctx, c, origin("syslog", c.RemoteAddr()), give); errors.Is(err, errFrame) {
		s.opts.Count(Unframed)
		s.opts.Log.WithError(err).WithField("peer", c.RemoteAddr().String()).Warn("a syslog connection is closed")
	}
}

// Read receives the messages of a stream, as if it were a connection of who is called from, until its end. An error is
// that of give, or says that the bytes are no syslog.
func Read(ctx context.Context, r io.Reader, from string, o Options, give input.Give) error {
	if o.Count == nil {
		o.Count = func(string) {}
	}
	s := &Server{opts: o}
	return s.stream(ctx, r, from, give)
}

// stream receives until r ends. That it cannot be read any further is no error: connections end in many ways.
func (s *Server) stream(ctx context.Context, r io.Reader, from string, give input.Give) error {
	f := framer{most: s.opts.Config.MaxMessage}
	again := newRepeats()
	buf, have := make([]byte, firstBuffer), 0
	for {
		n, err := r.Read(buf[have:])
		have += n
		lines, used, bad := s.messages(&f, again, buf[:have])
		if err != nil && bad == nil && used < have && f.skip == 0 && !f.line {
			lines = s.line(lines, again, buf[used:have]) // the last one, without its newline
			used = have
		}
		if len(lines) > 0 {
			if err := give(ctx, input.Chunk{From: from, Origin: "syslog", Lines: lines}); err != nil {
				return err
			}
		}
		if bad != nil {
			return bad
		}
		if err != nil {
			return nil //nolint:nilerr // see above
		}
		have = copy(buf, buf[used:have])
		if have == len(buf) {
			buf = slices.Concat(buf, buf) // the second half is written over
		}
	}
}

// firstBuffer is what a connection begins with; the buffer grows with its messages.
const firstBuffer = 8 << 10

// messages takes the whole messages in data.
func (s *Server) messages(f *framer, again *repeats, data []byte) (lines []input.Line, used int, err error) {
	for {
		msg, n, cut, err := f.next(data[used:])
		if err != nil || n == 0 {
			return lines, used, err
		}
		used += n
		if cut {
			s.opts.Count(Cut)
		}
		lines = s.line(lines, again, msg)
	}
}

// line adds a message. Those that are the same are told apart by their number.
func (s *Server) line(lines []input.Line, again *repeats, msg []byte) []input.Line {
	text := strings.TrimRight(string(msg), "\r\n\x00")
	if text == "" {
		return lines
	}
	l := input.Line{Text: text, Offset: again.number(text)}
	if !s.opts.Whole {
		l.Text = rfc5424.Parse(text).Text
		sum := crc64.Checksum([]byte(text), crc64.MakeTable(crc64.ECMA)) // what the header says tells messages apart too
		l.Origin = "syslog-" + strconv.FormatUint(sum, 16)
	}
	return append(lines, l)
}

// origin names where messages come from. The port is left out: it changes with each connection.
func origin(scheme string, peer net.Addr) string {
	host, _, err := net.SplitHostPort(peer.String())
	if err != nil {
		host = peer.String()
	}
	return scheme + "://" + host
}
