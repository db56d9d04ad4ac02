package accept

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// front is an HTTP server behind a Listener: it answers with the address that it takes the client's for, and upgrades
// what asks for it into an echo.
type front struct {
	*Listener
	refused chan Refusal
}

func serve(t *testing.T, change func(*Options)) *front {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	f := &front{refused: make(chan Refusal, 100)}
	o := Options{Timeout: 200 * time.Millisecond, Bounds: func() (int, int) { return 0, 0 }, Refused: func(r Refusal) { f.refused <- r }, Now: time.Now}
	if change != nil {
		change(&o)
	}
	f.Listener = Listen(inner, o)
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			Served(r.Context())
			if r.Header.Get("Upgrade") == "" {
				_, _ = fmt.Fprint(w, r.RemoteAddr)
				return
			}
			nc, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			nc = Stream(nc)
			go func() {
				defer nc.Close()
				_, _ = fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nX-Kind: %T\r\n\r\n", nc)
				_, _ = io.Copy(nc, nc)
			}()
		}),
		ReadHeaderTimeout: 200 * time.Millisecond, MaxHeaderBytes: 1 << 10, ErrorLog: log.New(io.Discard, "", 0),
		ConnState: f.State, ConnContext: Context,
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(f.Listener) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving ended with %v", err)
		}
		for f.Pending() > 0 { // Close does not wait for the last of them
			runtime.Gosched()
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.each) != 0 {
			t.Errorf("connections of %v are still counted", f.each)
		}
	})
	return f
}

func (f *front) dial(t *testing.T) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", f.Addr().String()) //nolint:noctx // a bare peer
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return nc
}

func (f *front) next(t *testing.T) Refusal {
	t.Helper()
	select {
	case r := <-f.refused:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("no refusal came")
		return Refusal{}
	}
}

const get = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

func everybody(netip.Addr) bool { return true }

// header gives a PROXY header of a version.
func header(t *testing.T, version byte, local bool) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, &net.TCPAddr{IP: net.ParseIP("203.0.113.9"), Port: 4711}, &net.TCPAddr{IP: net.ParseIP("198.51.100.1"), Port: 443})
	if local {
		h.Command = proxyproto.LOCAL
	}
	if version == 2 {
		if err := h.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_AUTHORITY, Value: bytes.Repeat([]byte("a"), 300)}}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestProxyHeaders: what is behind a header comes through whole, in one write or byte by byte, and the client is whom the
// header names.
func TestProxyHeaders(t *testing.T) {
	t.Parallel()
	f := serve(t, func(o *Options) { o.Proxied = everybody })
	for name, tt := range map[string]struct{ header, client string }{
		"v1": {header(t, 1, false), "203.0.113.9:4711"}, "v2 with more than addresses": {header(t, 2, false), "203.0.113.9:4711"},
		"v1 unknown": {"PROXY UNKNOWN\r\n", "127.0.0.1:"}, "v2 local": {header(t, 2, true), "127.0.0.1:"},
	} {
		for _, step := range []int{1, 7, 4096} {
			nc := f.dial(t)
			all := tt.header + get
			go func() {
				for all != "" {
					n := min(step, len(all))
					if _, err := nc.Write([]byte(all[:n])); err != nil {
						return
					}
					all = all[n:]
				}
			}()
			res, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil {
				t.Fatalf("%s in steps of %d: %v", name, step, err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || !strings.HasPrefix(string(body), tt.client) {
				t.Errorf("%s in steps of %d: the client is %q, %v", name, step, body, err)
			}
			_ = nc.Close()
		}
	}
}

// TestRefusals does everything that comes to no handler.
func TestRefusals(t *testing.T) {
	t.Parallel()
	proxied := func(o *Options) { o.Proxied = everybody }
	encrypted := func(o *Options) {
		o.TLS = func() *tls.Config {
			return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate(t)}}
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*Options)
		send   string
		leave  bool
		kind   Kind
		status int
		peer   string // "": the socket's
	}{
		{name: "nothing", kind: SlowStart, status: 408},
		{name: "part of a request", send: "GET / HTTP/1.1\r\nHost:", kind: SlowStart, status: 408},
		{name: "part of a header", send: "GET / HTTP/1.1\r\nHost: x\r\nX-A", kind: SlowStart, status: 408},
		{name: "part of a request, and away", send: "GET / HTTP/1.1\r\nHost:", leave: true, kind: BadHTTP, status: 400},
		{name: "no HTTP", send: "hello\r\n\r\n", kind: BadHTTP, status: 400},
		{name: "two lengths", send: "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", kind: BadHTTP, status: 400},
		{name: "headers without end", send: "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 2000), kind: BadHTTP, status: 431},
		{name: "second request", send: "GET / HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n", kind: BadHTTP, status: 400},
		{name: "no PROXY header", change: proxied, send: get, kind: BadProxy},
		{name: "half a PROXY header", change: proxied, send: "PROXY TCP4 203.0", kind: SlowStart, status: 0},
		{name: "half a PROXY header, and away", change: proxied, send: "PROXY TCP4 203.0", leave: true, kind: BadProxy},
		{name: "endless PROXY header", change: proxied, send: "PROXY " + strings.Repeat("x", 500), kind: BadProxy},
		{name: "proxied client's bad request", change: proxied, send: "PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\nhello\r\n\r\n", kind: BadHTTP, status: 400, peer: "203.0.113.9:4711"},
		{name: "no TLS", change: encrypted, send: get, kind: BadTLS},
		{name: "half of TLS", change: encrypted, send: "\x16\x03\x01\x02\x00\x01", kind: SlowStart},
		{name: "half of TLS, and away", change: encrypted, send: "\x16\x03\x01\x02\x00\x01", leave: true, kind: BadTLS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, tt.change)
			nc := f.dial(t)
			if _, err := nc.Write([]byte(tt.send)); err != nil {
				t.Fatal(err)
			}
			if tt.leave {
				_ = nc.Close()
			}
			r := f.next(t)
			if r.Kind != tt.kind || r.Status != tt.status || r.Err == nil {
				t.Errorf("refused with %+v", r)
			}
			if want := tt.peer; want != "" && r.Peer.String() != want || want == "" && r.Peer.String() != nc.LocalAddr().String() {
				t.Errorf("the client is %v", r.Peer)
			}
			if tt.status == 408 {
				if answer, err := io.ReadAll(nc); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
					t.Errorf("the answer is %q, %v", answer, err)
				}
			}
		})
	}
}

// TestLooks: who looks whether a server is there, or was served, is no refusal.
func TestLooks(t *testing.T) {
	t.Parallel()
	f := serve(t, nil)
	p := serve(t, func(o *Options) { o.Proxied = everybody })
	e := serve(t, func(o *Options) {
		o.TLS = func() *tls.Config {
			return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate(t)}}
		}
	})
	for _, one := range []*front{f, p, e} {
		_ = one.dial(t).Close()
	}
	served := f.dial(t)
	if _, err := served.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := http.ReadResponse(bufio.NewReader(served), nil); err != nil { //nolint:bodyclose // the connection is closed
		t.Fatal(err)
	}
	_ = served.Close()
	// What comes next is the first refusal.
	for _, one := range []*front{f, p, e} {
		nc := one.dial(t)
		if _, err := nc.Write([]byte("hello\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if r := one.next(t); r.Peer.String() != nc.LocalAddr().String() {
			t.Errorf("refused: %+v", r)
		}
	}
}

// TestBounds fills both bounds; an upgraded connection counts no more.
func TestBounds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		all, each int
		shared    func(netip.Addr) bool
		kind      Kind
	}{"all": {2, 0, nil, Full}, "one address": {0, 2, nil, Crowd}, "a proxy's": {3, 2, everybody, Full}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, func(o *Options) { o.Bounds = func() (int, int) { return tt.all, tt.each }; o.Shared = tt.shared })
			most := max(tt.all, tt.each*min(1, 3-tt.all))
			for range 3 {
				up := f.dial(t)
				if _, err := up.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\n\r\nping")); err != nil {
					t.Fatal(err)
				}
				line, err := bufio.NewReader(up).ReadString('\n')
				if err != nil || !strings.Contains(line, "101") {
					t.Fatalf("%q, %v", line, err)
				}
			}
			for range most {
				f.dial(t)
			}
			over := f.dial(t)
			if n, err := over.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Error("one too many was taken")
			}
			if r := f.next(t); r.Kind != tt.kind || r.Peer.String() != over.LocalAddr().String() {
				t.Errorf("refused with %+v", r)
			}
		})
	}
}

// TestStream: of a plain connection nothing is left but the socket, proxied or not.
func TestStream(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]*front{
		"*net.TCPConn": serve(t, nil), " *net.TCPConn": serve(t, func(o *Options) { o.Proxied = everybody }),
		"*tls.Conn": serve(t, func(o *Options) {
			o.TLS = func() *tls.Config {
				return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate(t)}}
			}
		}),
	} {
		nc := f.dial(t)
		if strings.HasPrefix(want, " ") {
			if _, err := nc.Write([]byte(header(t, 2, false))); err != nil {
				t.Fatal(err)
			}
		}
		if want == "*tls.Conn" {
			nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // its certificate is of no interest
		}
		if _, err := nc.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(nc)
		res, err := http.ReadResponse(r, nil) //nolint:bodyclose // there is none
		if err != nil || res.Header.Get("X-Kind") != strings.TrimSpace(want) {
			t.Fatalf("%s: %v, %v", want, res, err)
		}
		if _, err := nc.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(r, got); err != nil || string(got) != "ping" {
			t.Errorf("%s: %q, %v", want, got, err)
		}
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// FuzzProxyHeader holds that whatever comes first, nothing panics and what is behind a good header is whole.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n"), []byte("GET"))
	f.Add([]byte("PROXY UNKNOWN\r\n"), []byte("x"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\x12\x67\x01\xbb"), []byte("GET"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"), []byte(""))
	f.Fuzz(func(t *testing.T, first, rest []byte) {
		a, b := net.Pipe()
		defer b.Close()
		go func() {
			_, _ = a.Write(first)
			_, _ = a.Write(rest)
			_ = a.Close()
		}()
		s := &socket{Conn: b}
		if s.readHeader(10*time.Second) != nil {
			return
		}
		left, err := io.ReadAll(s)
		if err != nil || !bytes.HasSuffix(append(first, rest...), left) {
			t.Fatalf("%q is left of %q and %q, %v", left, first, rest, err)
		}
	})
}
