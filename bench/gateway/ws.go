package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// Opcodes of RFC 6455.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// finMask is the first bits of every frame that is sent: final in the first byte, masked in the second.
const finBit, maskBit = 0x80, 0x80

// socket is the client's half of a WebSocket, as lean as one can be: frames are handled where they were read, and masked
// with zeros, which costs the server as much as any mask and the client nothing.
type socket struct {
	conn net.Conn

	buf  []byte // what was read, from used to have
	used int
	have int

	mu  sync.Mutex // one writer at a time
	out []byte     // guarded by mu: frames that wait for flush
}

var errClosed = errors.New("the server closed the connection")

// upgrade sends the handshake and reads the answer's head.
func (s *socket) upgrade(host, path, header string, deadline time.Time) error {
	if err := s.conn.SetDeadline(deadline); err != nil {
		return err
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + header + "\r\n"
	if _, err := s.conn.Write([]byte(request)); err != nil {
		return err
	}
	for {
		if err := s.fill(); err != nil {
			return err
		}
		head, _, whole := bytes.Cut(s.buf[:s.have], []byte("\r\n\r\n"))
		if !whole {
			continue
		}
		if status, _, _ := strings.Cut(string(head), "\r\n"); !strings.Contains(status, " 101 ") {
			return fmt.Errorf("handshake: %s %s", status, s.buf[len(head)+4:s.have])
		}
		s.used = len(head) + 4
		return s.conn.SetDeadline(time.Time{})
	}
}

// fillMost is how large a buffer gets for reading much at once.
const fillMost = 16 << 10

// fill reads once. What was not used yet stays; the buffer doubles when a read filled it, however small its frames are, so
// that no protocol pays for sending many instead of one.
func (s *socket) fill() error {
	filled := s.have == len(s.buf) && len(s.buf) < fillMost
	if s.used > 0 {
		s.have = copy(s.buf, s.buf[s.used:s.have])
		s.used = 0
	}
	if s.have == len(s.buf) || filled {
		s.buf = append(s.buf, make([]byte, max(512, len(s.buf)))...)
	}
	n, err := s.conn.Read(s.buf[s.have:])
	s.have += n
	if n > 0 {
		return nil
	}
	return err
}

// next gives the payload of the next text or binary message that was read already; it is valid until the next fill.
func (s *socket) next() (payload []byte, ok bool, err error) {
	for {
		b := s.buf[s.used:s.have]
		if len(b) < 2 {
			return nil, false, nil
		}
		n, head := int(b[1]&0x7f), 2
		switch {
		case n == 126 && len(b) >= 4:
			n, head = int(binary.BigEndian.Uint16(b[2:])), 4
		case n == 127 && len(b) >= 10:
			n, head = int(binary.BigEndian.Uint64(b[2:])), 10 //nolint:gosec // a server of ours
		case n >= 126:
			return nil, false, nil
		}
		if len(b) < head+n {
			return nil, false, nil
		}
		s.used += head + n
		payload = b[head : head+n]
		switch b[0] & 0x0f {
		case opPing:
			s.mu.Lock()
			s.append(opPong, payload)
			s.mu.Unlock()
		case opPong:
		case opClose:
			return nil, false, fmt.Errorf("%w: %s", errClosed, closeText(payload))
		default:
			return payload, true, nil
		}
	}
}

func closeText(payload []byte) string {
	if len(payload) < 2 {
		return "no code"
	}
	return fmt.Sprintf("%d %s", binary.BigEndian.Uint16(payload), payload[2:])
}

// append adds a frame to what flush will write. mu is held.
func (s *socket) append(op byte, payload []byte) {
	n := len(payload)
	if n < 126 {
		s.out = append(s.out, finBit|op, maskBit|byte(n), 0, 0, 0, 0)
	} else {
		s.out = append(s.out, finBit|op, maskBit|126, byte(n>>8), byte(n), 0, 0, 0, 0)
	}
	s.out = append(s.out, payload...)
}

// flush writes what was appended, in one call. mu is held.
func (s *socket) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.conn.Write(s.out)
	s.out = s.out[:0]
	return err
}

func (s *socket) send(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(opText, text)
	return s.flush()
}

// reset cuts the connection with a TCP reset.
func (s *socket) reset() {
	if tcp, ok := s.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = s.conn.Close() // nothing more is wanted of it
}
