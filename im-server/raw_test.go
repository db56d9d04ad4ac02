package imserver

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"imwatch/im-server/protocol"
)

// raw is a client that writes bytes and reads frames: it can do what no library lets one do.
type raw struct {
	net.Conn
	r          *bufio.Reader
	extensions string // agreed on
}

// rawDial opens a WebSocket by hand. headers are lines of the request.
func (f *fixture) rawDial(tb testing.TB, query string, headers ...string) *raw {
	tb.Helper()
	nc, err := net.Dial("tcp", f.Addr()) //nolint:noctx // a test
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = nc.Close() })
	w := &raw{Conn: nc, r: bufio.NewReader(nc)}
	w.within(tb, patient)
	request := "GET " + protocol.Path + query + " HTTP/1.1\r\nHost: im\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	w.send(tb, []byte(request+strings.Join(append(headers, "", ""), "\r\n")))
	res, err := http.ReadResponse(w.r, nil)
	if err != nil {
		tb.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		tb.Fatalf("the handshake got %s", res.Status)
	}
	w.extensions = res.Header.Get("Sec-WebSocket-Extensions")
	return w
}

// rawUser opens a WebSocket of a user by hand and reads the hello.
func (f *fixture) rawUser(tb testing.TB, user string, headers ...string) *raw {
	tb.Helper()
	w := f.rawDial(tb, "", append(headers, "Authorization: Bearer "+tokenFor(tb, user))...)
	if got := w.next(); !strings.HasPrefix(got, `text {"v":1,"type":"hello"`) {
		tb.Fatalf("instead of a hello came %s", got)
	}
	return w
}

func (w *raw) within(tb testing.TB, d time.Duration) {
	tb.Helper()
	if err := w.SetDeadline(time.Now().Add(d)); err != nil {
		tb.Fatal(err)
	}
}

func (w *raw) send(tb testing.TB, chunks ...[]byte) {
	tb.Helper()
	for _, b := range chunks {
		if _, err := w.Write(b); err != nil {
			tb.Fatal(err)
		}
	}
}

// frame reads one frame of the server.
func (w *raw) frame() (first byte, payload []byte, err error) {
	var head [8]byte
	if _, err = io.ReadFull(w.r, head[:2]); err != nil {
		return 0, nil, err
	}
	first = head[0]
	size := uint64(head[1])
	if size&0x80 != 0 {
		return 0, nil, fmt.Errorf("the server masks")
	}
	switch size {
	case 126:
		_, err = io.ReadFull(w.r, head[:2])
		size = uint64(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(w.r, head[:])
		size = binary.BigEndian.Uint64(head[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(w.r, payload)
	return first, payload, err
}

// next says what comes next: "text hello", "pong", "close 1002", "packed text …", "end". Pings are passed over.
func (w *raw) next() string {
	first, payload, err := w.frame()
	for err == nil && first == fin|9 {
		first, payload, err = w.frame()
	}
	if errors.Is(err, io.EOF) {
		return "end"
	}
	if err != nil {
		return err.Error()
	}
	name := map[byte]string{1: "text", 2: "binary", 8: "close", 10: "pong"}[first&0xf]
	switch first >> 4 {
	case 0x8:
	case 0xc:
		name = "packed " + name
		payload, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
		if err != nil {
			return err.Error()
		}
	default:
		name = fmt.Sprintf("%#x %s", first>>4, name)
	}
	if name == "close" {
		if len(payload) < 2 {
			return "close"
		}
		return fmt.Sprintf("close %d", binary.BigEndian.Uint16(payload))
	}
	return name + " " + string(payload)
}

// Bits and opcodes of a frame.
const (
	fin  = 0x80
	rsv1 = 0x40
)

// masked makes a client's frame; first is its first byte.
func masked(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i&3])
	}
	return b
}

// packed packs a message as a client does.
func packed(text string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is one
	}
	_, _ = w.Write([]byte(text)) // a buffer takes all
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// chopped cuts bytes into writes of n.
func chopped(n int, frames ...[]byte) (chunks [][]byte) {
	for _, b := range frames {
		for len(b) > n {
			chunks = append(chunks, b[:n])
			b = b[n:]
		}
		chunks = append(chunks, b)
	}
	return chunks
}

// pieces makes a message of fragments of n bytes.
func pieces(op byte, n int, payload string) (frames [][]byte) {
	for len(payload) > n {
		frames = append(frames, masked(op, payload[:n]))
		op, payload = 0, payload[n:]
	}
	return append(frames, masked(fin|op, payload))
}

// closing makes a close frame.
func closing(code uint16, reason string) []byte {
	return masked(fin|8, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}
