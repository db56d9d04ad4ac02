package accept

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"time"

	"github.com/pires/go-proxyproto"
)

// socket is a connection as it was accepted, with its PROXY header read and taken away if it has one.
type socket struct {
	net.Conn
	got    bool     // anything came
	source net.Addr // of the client, by the PROXY header; nil: not said
	rest   []byte   // what came behind the header with it
}

// NetConn gives what is below.
func (s *socket) NetConn() net.Conn { return s.Conn }

// Read reads what is not the header.
func (s *socket) Read(p []byte) (int, error) {
	if len(s.rest) > 0 {
		n := copy(p, s.rest)
		if s.rest = s.rest[n:]; len(s.rest) == 0 {
			s.rest = nil
		}
		return n, nil
	}
	n, err := s.Conn.Read(p)
	s.got = s.got || n > 0
	return n, err //nolint:wrapcheck // net/http looks at it
}

// headerBuffer holds a header and, as a rule, nothing of what is behind it: few proxies send more than addresses.
const headerBuffer = 256

// readHeader reads the PROXY header, of version 1 or 2. The one of a proxy's own connection (LOCAL, UNKNOWN) names no source.
func (s *socket) readHeader(timeout time.Duration) error {
	// Errors of deadlines are those of a closed socket, which reading sees.
	_ = s.SetReadDeadline(time.Now().Add(timeout))
	buf := bufio.NewReaderSize(s, headerBuffer)
	h, err := parseHeader(buf)
	_ = s.SetReadDeadline(time.Time{})
	if err != nil {
		return fmt.Errorf("reading the PROXY header: %w", err)
	}
	if n := buf.Buffered(); n > 0 {
		rest, err := buf.Peek(n)
		if err != nil {
			return fmt.Errorf("reading behind the PROXY header: %w", err)
		}
		s.rest = append([]byte(nil), rest...)
	}
	if source, _, ok := h.TCPAddrs(); ok && !h.Command.IsLocal() {
		s.source = source
	}
	return nil
}

// maxV1 is the longest header of version 1, by its specification.
const maxV1 = 107

// parseHeader reads a header. The library wants one of version 1 in one piece, which TCP does not promise.
func parseHeader(buf *bufio.Reader) (*proxyproto.Header, error) {
	first, err := buf.Peek(1)
	for err == nil && first[0] == 'P' && len(first) < maxV1 && !bytes.Contains(first, []byte("\n")) {
		first, err = buf.Peek(max(len(first)+1, buf.Buffered()))
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what was read
	}
	return proxyproto.Read(buf) //nolint:wrapcheck // the same
}
