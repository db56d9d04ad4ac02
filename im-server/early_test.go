package imserver

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// raw is a bare TCP connection to the clients' listener.
func (f *fixture) raw() net.Conn {
	f.t.Helper()
	nc, err := net.Dial("tcp", f.Addr()) //nolint:noctx // a bare peer
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// TestRefusedEarly: what comes to no handler has its line too, with the answer's status.
func TestRefusedEarly(t *testing.T) {
	t.Parallel()
	encrypted := func(c *Config) { c.TLS.CertFile, c.TLS.KeyFile = writeCertificate(t) }
	ended := func(c *Config) { c.TLS.CertFile, c.TLS.KeyFile = authority(t).issue(t, -time.Minute) }
	for _, tt := range []struct {
		name   string
		setup  func(*Config)
		send   string
		reason event.HandshakeReason
		status string
		level  string
	}{
		{"silence", nil, "", event.HandshakeTimeout, "408", ""},
		{"dripped headers", nil, "GET /ws/connect HTTP/1.1\r\nHost: x\r\nX-A", event.HandshakeTimeout, "408", ""},
		{"no HTTP", nil, "\x00\x01\x02\r\n\r\n", event.HandshakeBadUpgrade, "400", ""},
		{"flood of headers", nil, "GET /ws/connect HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Flood: 0123456789\r\n", 2000), event.HandshakeBadUpgrade, "431", ""},
		{"long path", nil, "GET /" + strings.Repeat("a", 40<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", event.HandshakeBadUpgrade, "431", ""},
		{"HTTP/2", nil, "GET / HTTP/2.0\r\nHost: x\r\n\r\n", event.HandshakeBadUpgrade, "505", ""},
		{"no TLS", encrypted, "GET / HTTP/1.1\r\n\r\n", event.HandshakeTLS, "", ""},
		{"silence before TLS", encrypted, "", event.HandshakeTimeout, "", ""},
		{"no TLS, ours has ended", ended, "GET / HTTP/1.1\r\n\r\n", event.HandshakeTLS, "", event.LevelError},
		{"no PROXY header", func(c *Config) { c.ProxyProtocol, c.TrustedProxies = true, []string{"127.0.0.1"} }, "GET / HTTP/1.1\r\n\r\n", event.HandshakeBadUpgrade, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Timeouts.Handshake = 200 * time.Millisecond
			if tt.setup != nil {
				tt.setup(&cfg)
			}
			f := serve(t, cfg, Deps{})
			nc := f.raw()
			_, _ = nc.Write([]byte(tt.send)) // the server may have had enough
			ev := f.log.action(t, event.ActionHandshakeFailure)
			level := tt.reason.Level
			if tt.level != "" {
				level = tt.level
			}
			want(t, ev, map[event.FieldID]string{
				event.FieldEventReason: tt.reason.Reason, event.FieldHandshakeStage: tt.reason.Stage, event.FieldHTTPStatus: tt.status,
				event.FieldClientIP: "127.0.0.1", event.FieldClientPort: nc.LocalAddr().String()[len("127.0.0.1:"):], event.FieldLogLevel: level,
			})
			if ev.Text(event.FieldErrorMessage) == "" {
				t.Error("the line does not say what was wrong")
			}
			f.stop()
			if n := len(f.log.all(event.ActionHandshakeFailure)) + len(f.log.all(event.ActionHTTPRequest)); n != 1 {
				t.Errorf("%d lines", n)
			}
		})
	}
}

// TestHandshakesAreBounded fills the places of connections that have not come to a request.
func TestHandshakesAreBounded(t *testing.T) {
	t.Parallel()
	for reason, set := range map[event.HandshakeReason]func(*LimitsConfig){
		event.HandshakeNodeFull:      func(l *LimitsConfig) { l.Handshakes = 3 },
		event.HandshakeRateLimitedIP: func(l *LimitsConfig) { l.AddressHandshakes = 3 },
	} {
		t.Run(reason.Reason, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Timeouts.Handshake = time.Minute
			set(&cfg.Limits)
			f := serve(t, cfg, Deps{})
			for _, name := range []string{"a", "b", "c", "d"} {
				f.dial(name) // they are through, and count no more
			}
			for range 3 {
				f.raw()
			}
			if n, err := f.raw().Read(make([]byte, 1)); n != 0 || err == nil {
				t.Error("the fourth was taken")
			}
			want(t, f.log.action(t, event.ActionHandshakeFailure), map[event.FieldID]string{event.FieldEventReason: reason.Reason, event.FieldHTTPStatus: ""})
		})
	}
}

// TestProxyProtocol: the client is whom the header names, and, behind it, whom a proxy that is trusted names in HTTP.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.ProxyProtocol, cfg.TrustedProxies, cfg.ForwardedHeader = true, []string{"127.0.0.1", "203.0.113.0/24"}, "Forwarded"
	cfg.TLS.CertFile, cfg.TLS.KeyFile = writeCertificate(t)
	f := serve(t, cfg, Deps{})
	for _, tt := range []struct{ user, header, forwarded, ip, port string }{
		{"direct", "PROXY TCP4 198.51.100.7 203.0.113.1 4711 443\r\n", `for=192.0.2.1`, "198.51.100.7", "4711"},
		{"again", "PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n", ``, "2001:db8::7", "4711"},
		{"behind another", "PROXY TCP4 203.0.113.9 203.0.113.1 4711 443\r\n", `for="[2001:db8::9]:80";proto=https, for=203.0.113.5`, "2001:db8::9", "80"},
		{"check", "PROXY UNKNOWN\r\n", `for=192.0.2.1`, "192.0.2.1", ""},
	} {
		nc := f.raw()
		if _, err := nc.Write([]byte(tt.header)); err != nil {
			t.Fatal(err)
		}
		d := websocket.Dialer{
			NetDialTLSContext: func(context.Context, string, string) (net.Conn, error) {
				return tls.Client(nc, &tls.Config{InsecureSkipVerify: true}), nil //nolint:gosec // it is ours
			},
		}
		h := http.Header{"Authorization": {"Bearer " + tokenFor(t, tt.user)}}
		if tt.forwarded != "" {
			h.Set("Forwarded", tt.forwarded)
		}
		ws, res, err := d.Dial("wss://"+f.Addr()+protocol.Path, h)
		if err != nil {
			t.Fatalf("%s: %v, %v", tt.user, res, err)
		}
		_ = res.Body.Close()
		ev := f.log.wait(t, "connect", func(ev *event.Event) bool { return ev.Text(event.FieldUserID) == tt.user })
		want(t, ev, map[event.FieldID]string{event.FieldClientIP: tt.ip, event.FieldClientPort: tt.port})
		_ = ws.Close()
	}
}

// TestClientAddress goes through what proxies say, and what clients put before it.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusted := newNetworks([]string{"10.0.0.0/8", "2001:db8:1::/48"})
	const xff = "X-Forwarded-For"
	for _, tt := range []struct {
		remote, header string
		values         []string
		want           string
	}{
		{"192.0.2.1:1", xff, []string{"198.51.100.7"}, "192.0.2.1:1"},
		{"10.0.0.1:1", xff, nil, "10.0.0.1:1"},
		{"10.0.0.1:1", xff, []string{"198.51.100.7"}, "198.51.100.7:0"},
		{"10.0.0.1:1", "", []string{"198.51.100.7"}, "10.0.0.1:1"},
		{"[::ffff:10.0.0.1]:1", xff, []string{"6.6.6.6, 198.51.100.7, 10.0.0.2"}, "198.51.100.7:0"},
		{"10.0.0.1:1", xff, []string{"6.6.6.6", "198.51.100.7"}, "198.51.100.7:0"},
		{"10.0.0.1:1", xff, []string{"6.6.6.6", "nonsense"}, "10.0.0.1:1"},
		{"10.0.0.1:1", xff, []string{"nonsense, 10.0.0.2"}, "10.0.0.2:0"},
		{"10.0.0.1:1", xff, []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3:0"},
		{"10.0.0.1:1", xff, []string{"198.51.100.7:4711"}, "198.51.100.7:4711"},
		{"10.0.0.1:1", xff, []string{"[2001:db8::7]"}, "[2001:db8::7]:0"},
		{"[2001:db8:1::1]:1", xff, []string{"2001:db8::7"}, "[2001:db8::7]:0"},
		{"10.0.0.1:1", forwarded, []string{`for=198.51.100.7;proto=https;by=10.0.0.9`}, "198.51.100.7:0"},
		{"10.0.0.1:1", forwarded, []string{`for=6.6.6.6, For="[2001:db8::7]:4711"`, `for=10.0.0.2`}, "[2001:db8::7]:4711"},
		{"10.0.0.1:1", forwarded, []string{`for=unknown`}, "10.0.0.1:1"},
		{"10.0.0.1:1", forwarded, []string{`for="_hidden, for=6.6.6.6"`}, "10.0.0.1:1"},
		{"10.0.0.1:1", forwarded, []string{`for=6.6.6.6;for=198.51.100.7`}, "10.0.0.1:1"},
		{"10.0.0.1:1", forwarded, []string{`proto=https`}, "10.0.0.1:1"},
		{"pipe", xff, []string{"198.51.100.7"}, "invalid AddrPort"},
	} {
		r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{}}
		for _, v := range tt.values {
			r.Header.Add(tt.header, v)
		}
		if got := clientAddr(r, tt.header, trusted); got.String() != tt.want {
			t.Errorf("%s behind %s with %q is %v, want %s", tt.header, tt.remote, tt.values, got, tt.want)
		}
	}
}

// FuzzClientAddress holds that nothing a client sends before what a proxy has added changes who it is.
func FuzzClientAddress(f *testing.F) {
	f.Add(`for="a,b`, true)
	f.Add(`6.6.6.6, "`, false)
	trusted := newNetworks([]string{"10.0.0.0/8"})
	f.Fuzz(func(t *testing.T, sent string, standard bool) {
		header, added := "X-Forwarded-For", "198.51.100.7"
		if standard {
			header, added = forwarded, "for=198.51.100.7"
		}
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{header: {sent, added}}}
		if got := clientAddr(r, header, trusted); got.Addr() != netip.MustParseAddr("198.51.100.7") && got.Addr() != netip.MustParseAddr("10.0.0.1") {
			t.Fatalf("%q makes the client %v", sent, got)
		}
	})
}

// testAuthority signs certificates.
type testAuthority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func authority(t *testing.T) *testAuthority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &testAuthority{cert, key, writePEM(t, "ca.pem", "CERTIFICATE", der)}
}

// issue gives the files of a new certificate for loopback that is good for so long.
func (a *testAuthority) issue(t *testing.T, good time.Duration) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: serial, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(good), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "cert.pem", "CERTIFICATE", der), writePEM(t, "key.pem", "PRIVATE KEY", keyDER)
}

// TestClientCertificates lets in who shows a good one, and says why it does not let others in.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ours, theirs := authority(t), authority(t)
	pair := func(a *testAuthority, good time.Duration) []tls.Certificate {
		cert, err := tls.LoadX509KeyPair(a.issue(t, good))
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{cert}
	}
	for _, tt := range []struct {
		name     string
		optional bool
		show     []tls.Certificate
		letIn    bool
	}{
		{"good", false, pair(ours, time.Hour), true},
		{"none", false, nil, false},
		{"of another authority", false, pair(theirs, time.Hour), false},
		{"ended", false, pair(ours, -time.Minute), false},
		{"none needed", true, nil, true},
		{"bad where none is needed", true, pair(theirs, time.Hour), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.TLS.CertFile, cfg.TLS.KeyFile = ours.issue(t, time.Hour)
			cfg.TLS.ClientCAFile, cfg.TLS.ClientOptional = ours.file, tt.optional
			f := serve(t, cfg, Deps{})
			// What the server does not want to see is shown all the same.
			own := &tls.Config{InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { //nolint:gosec // the server's is of no interest
				if tt.show == nil {
					return new(tls.Certificate), nil
				}
				return &tt.show[0], nil
			}}
			d := websocket.Dialer{TLSClientConfig: own}
			ws, res, err := d.Dial("wss://"+f.Addr()+protocol.Path, http.Header{"Authorization": {"Bearer " + tokenFor(t, "u-1")}})
			if res != nil {
				_ = res.Body.Close()
			}
			if (err == nil) != tt.letIn {
				t.Fatalf("%v", err)
			}
			if err == nil {
				_ = ws.Close()
				return
			}
			ev := f.log.action(t, event.ActionHandshakeFailure)
			want(t, ev, map[event.FieldID]string{event.FieldEventReason: "tls", event.FieldLogLevel: "warn"})
			if !strings.Contains(ev.Text(event.FieldErrorMessage), "certificate") {
				t.Errorf("the line says %q", ev.Text(event.FieldErrorMessage))
			}
		})
	}
}

// TestCertificateIsReplaced: new connections see the new one, while half of it is there the old one, and open ones go on.
func TestCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	a := authority(t)
	cfg := testConfig(t)
	cfg.TLS.CertFile, cfg.TLS.KeyFile = a.issue(t, time.Hour)
	f := serve(t, cfg, Deps{})
	serial := func() string {
		nc := tls.Client(f.raw(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is looked at
		defer nc.Close()
		if err := nc.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return nc.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	d := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it is ours
	ws, res, err := d.Dial("wss://"+f.Addr()+protocol.Path, http.Header{"Authorization": {"Bearer " + tokenFor(t, "u-1")}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	defer ws.Close()
	first, end := serial(), f.certificateEnd()
	cert, key := a.issue(t, 2*time.Hour)
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(cert, cfg.TLS.CertFile)
	f.watchCertificates(false)
	if serial() != first || !f.certificateEnd().Equal(end) {
		t.Error("a certificate whose key is another is shown")
	}
	move(key, cfg.TLS.KeyFile)
	f.watchCertificates(false)
	if serial() == first || !f.certificateEnd().After(end) {
		t.Error("the new certificate is not shown")
	}
	if err := os.WriteFile(cfg.TLS.CertFile, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := serial()
	f.watchCertificates(true)
	if serial() != second {
		t.Error("nonsense has taken the place of a certificate")
	}
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"v":1,"type":"ping","id":"p"}`)); err != nil {
		t.Error(err)
	}
	for range 2 { // hello and pong
		if _, _, err := ws.ReadMessage(); err != nil {
			t.Error(err)
		}
	}
}

// TestBodyThatNobodyReads does not hold a connection for longer than two time-outs of the handshake.
func TestBodyThatNobodyReads(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Timeouts.Handshake = 200 * time.Millisecond
	f := serve(t, cfg, Deps{})
	nc := f.raw()
	if _, err := fmt.Fprint(nc, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := nc.SetReadDeadline(time.Now().Add(patient)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(nc)
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != http.StatusNotFound { //nolint:bodyclose // read below
		t.Fatal(res, err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection ended with %v", err)
	}
	if f.accept.Pending() > 1 {
		t.Errorf("%d connections are pending", f.accept.Pending())
	}
}
