package tail

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// pack gives text as gzip writes it.
func pack(tb testing.TB, text []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := z.Write(text); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func unpack(tb testing.TB, packed []byte) *unpacked {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "app.log.1.gz")
	if err := os.WriteFile(path, packed, 0o600); err != nil {
		tb.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	u, err := newUnpacked(f, new(heads))
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + rng.IntN(26))
	}
	return b
}

// Whatever is read in whatever order is what was packed.
func TestUnpackedReadsAnywhere(t *testing.T) {
	t.Parallel()
	text := noise(3*windowBytes + 12345)
	u := unpack(t, pack(t, text))
	rng := rand.New(rand.NewPCG(3, 4))
	at := int64(0)
	for range 200 {
		p := make([]byte, 1+rng.IntN(windowBytes))
		switch rng.IntN(4) {
		case 0:
			at = rng.Int64N(int64(len(text)))
		case 1:
			at = max(0, at-int64(rng.IntN(windowBytes)))
		}
		n, err := u.ReadAt(p, at)
		want := text[at:min(len(text), int(at)+len(p))]
		if !bytes.Equal(p[:n], want) {
			t.Fatalf("%d bytes at %d are not what was packed", n, at)
		}
		if ended := n < len(p); ended != errors.Is(err, io.EOF) || err != nil && !ended {
			t.Fatalf("%d of %d at %d: %v", n, len(p), at, err)
		}
		at = min(at+int64(n), int64(len(text))-1)
	}
}

// Of a file that ends too early, or is damaged, what comes before can be read, and the end is told from a true one.
func TestUnpackedTornAndDamaged(t *testing.T) {
	t.Parallel()
	text := noise(100_000)
	packed := pack(t, text)
	for _, cut := range []int{0, 3, 9, 10, 11, 500, len(packed) / 2, len(packed) - 8, len(packed) - 1} {
		u := unpack(t, packed[:cut])
		p := make([]byte, len(text)+1)
		n, err := u.ReadAt(p, 0)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(p[:n], text[:n]) {
			t.Errorf("cut at %d: %d bytes, %v", cut, n, err)
		}
	}
	packed[len(packed)-5] ^= 1 // of the checksum
	u := unpack(t, packed)
	p := make([]byte, len(text)+1)
	if n, err := u.ReadAt(p, 0); n != len(text) || !errors.Is(err, gzip.ErrChecksum) || !broken(err) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if u := unpack(t, []byte("no gzip at all, but text\n")); u != nil {
		if _, err := u.ReadAt(p, 0); !errors.Is(err, gzip.ErrHeader) {
			t.Error(err)
		}
	}
}
