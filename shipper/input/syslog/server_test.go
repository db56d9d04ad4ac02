package syslog

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"imwatch/shipper/input"
	"imwatch/shipper/input/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bench struct {
	t        *testing.T
	tcp, udp net.Addr
	lines    chan input.Line

	mu     sync.Mutex // guards counts
	counts map[string]int
}

func newBench(t *testing.T, whole bool, change func(*Config)) *bench {
	t.Helper()
	cfg := Config{TCP: "127.0.0.1:0", UDP: "127.0.0.1:0"}
	cfg.SetDefaults()
	if change != nil {
		change(&cfg)
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	b := &bench{t: t, lines: make(chan input.Line, 100), counts: map[string]int{}}
	s, err := Listen(Options{Config: cfg, Whole: whole, Log: quiet, Now: time.Now, Count: func(what string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.counts[what]++
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.tcp, b.udp = s.Addrs()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, func(ctx context.Context, c input.Chunk) error {
			for _, l := range c.Lines {
				select {
				case b.lines <- l:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) next() input.Line {
	b.t.Helper()
	select {
	case l := <-b.lines:
		return l
	case <-time.After(20 * time.Second):
		b.t.Fatal("nothing came")
	}
	return input.Line{}
}

func (b *bench) counted(what string) {
	b.t.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(time.Millisecond); ; {
		b.mu.Lock()
		n := b.counts[what]
		b.mu.Unlock()
		if n > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.t.Fatalf("%s is not counted", what)
		}
	}
}

func (b *bench) send(network string, addr net.Addr, texts ...string) net.Conn {
	b.t.Helper()
	c, err := net.Dial(network, addr.String()) //nolint:noctx // to itself
	if err != nil {
		b.t.Fatal(err)
	}
	for _, text := range texts {
		if _, err := io.WriteString(c, text); err != nil {
			b.t.Fatal(err)
		}
	}
	return c
}

func TestMessagesByAllWays(t *testing.T) {
	t.Parallel()
	b := newBench(t, true, nil)
	c := b.send("tcp", b.tcp, "<1>one\n7 <1>", "two\n", "11 <1>thr\nee \n", "<1>four")
	for _, want := range []string{"<1>one", "<1>two", "<1>thr\nee ", "<1>four"} {
		if want == "<1>four" {
			_ = c.Close() // without a newline it ends with the connection
		}
		if got := b.next(); got.Text != want {
			t.Errorf("%q instead of %q", got.Text, want)
		}
	}
	u := b.send("udp", b.udp, "<1>data\ngram\n")
	defer func() { _ = u.Close() }()
	if got := b.next(); got.Text != "<1>data\ngram" {
		t.Errorf("%q", got.Text)
	}
}

// What a sender repeats on one connection is told apart; what it sends again on the next is not.
func TestRepeatsAndResends(t *testing.T) {
	t.Parallel()
	b := newBench(t, false, nil)
	const msg = "<13>Nov 21 10:00:00 h app: refused\n"
	var first []input.Line
	for i := range 2 {
		c := b.send("tcp", b.tcp, msg, msg, "<13>Nov 21 10:00:01 h app: refused\n")
		got := []input.Line{b.next(), b.next(), b.next()}
		_ = c.Close()
		if got[0].Text != "refused" || got[0].Offset != 0 || got[1].Offset != 1 || got[1].Origin != got[0].Origin || got[2].Origin == got[0].Origin {
			t.Errorf("%+v", got)
		}
		if i == 0 {
			first = got
		} else if !slices.Equal(first, got) {
			t.Errorf("sent again: %+v instead of %+v", got, first)
		}
	}
}

func TestTroubleIsCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t, true, func(c *Config) { c.MaxConnections, c.MaxMessage = 1, 500 })
	c := b.send("tcp", b.tcp, "<1>"+strings.Repeat("x", 1000)+"\n<1>after\n600 "+strings.Repeat("y", 600)+"<1>more\n")
	for _, n := range []int{500, 8, 500, 7} {
		if got := b.next(); len(got.Text) != n {
			t.Errorf("%d bytes instead of %d", len(got.Text), n)
		}
	}
	b.counted(Cut)
	other := b.send("tcp", b.tcp)
	b.counted(Refused)
	_ = other.Close()
	if _, err := io.WriteString(c, "99x no frame"); err != nil {
		t.Fatal(err)
	}
	b.counted(Unframed)
	_ = c.Close()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	b := newBench(t, true, func(c *Config) { c.UDP, c.TLS = "", listen.TLS{Cert: cert, Key: key} })
	pool := x509.NewCertPool()
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(text)
	c, err := tls.Dial("tcp", b.tcp.String(), &tls.Config{RootCAs: pool}) //nolint:noctx,gosec // to itself
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "6 <1>one"); err != nil {
		t.Fatal(err)
	}
	if got := b.next(); got.Text != "<1>one" {
		t.Errorf("%q", got.Text)
	}
}

// certificate makes one for this machine.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, is, is, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	c := &Config{TCP: "6514", MaxConnections: 0, MaxMessage: 1, QueueBytes: 1}
	c.TLS.ClientCA = "ca.pem"
	err := c.Validate()
	for _, want := range []string{`tcp: found "6514"`, "tls: both cert and key", "max_connections: found 0", "max_message: found 1", "queue_bytes: found 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if err := (&Config{}).Validate(); err == nil || !strings.Contains(err.Error(), "one of tcp and udp") {
		t.Error(err)
	}
	if _, err := Listen(Options{Config: Config{TCP: "256.0.0.1:1"}, Now: time.Now}); err == nil || !strings.Contains(fmt.Sprint(err), "syslog.tcp") {
		t.Error(err)
	}
}
