package framing

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
	"pgregory.net/rapid"
)

// appendFrame appends a client's frame.
func appendFrame(dst []byte, first byte, mask uint32, payload []byte) []byte {
	dst = append(dst, first)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = binary.LittleEndian.AppendUint32(dst, mask)
	at := len(dst)
	dst = append(dst, payload...)
	for i := range payload {
		dst[at+i] ^= byte(mask >> (8 * (i & 3)))
	}
	return dst
}

// drawn is a socket that gives what it has in pieces of drawn sizes.
type drawn struct {
	b []byte
	t *rapid.T
}

func (d *drawn) Read(p []byte) (int, error) {
	if len(d.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), rapid.SampledFrom([]int{1, 2, 7, 100, 1000, 5000}).Draw(d.t, "read"))], d.b)
	d.b = d.b[n:]
	return n, nil
}

// TestWhatIsSentIsRead: messages come as they were sent, however they are cut into frames, packed, mixed with control
// frames and cut into reads.
func TestWhatIsSentIsRead(t *testing.T) {
	t.Parallel()
	pool := NewPool()
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want []Received
		mask := func() uint32 { return rapid.Uint32().Draw(t, "mask") }
		for range rapid.IntRange(1, 5).Draw(t, "messages") {
			op := rapid.SampledFrom([]Op{Text, Binary}).Draw(t, "op")
			text := strings.Repeat(rapid.StringN(0, 40, -1).Draw(t, "text"), rapid.IntRange(0, 200).Draw(t, "times"))
			if !utf8.ValidString(text) {
				op = Binary
			}
			first, rest := byte(op), []byte(text)
			if rapid.Bool().Draw(t, "packed") {
				first |= 0x40
				rest = bytes.TrimSuffix(pool.Pack(nil, rest), []byte(tail))
			}
			for len(rest) > 1 && rapid.Bool().Draw(t, "cut") {
				n := rapid.IntRange(1, len(rest)-1).Draw(t, "at")
				stream = appendFrame(stream, first, mask(), rest[:n])
				first, rest = 0, rest[n:]
				if rapid.Bool().Draw(t, "ping") {
					stream = appendFrame(stream, 0x80|byte(Ping), mask(), []byte("p"))
					want = append(want, Received{Op: Ping, Data: []byte("p")})
				}
			}
			stream = appendFrame(stream, 0x80|first, mask(), rest)
			want = append(want, Received{Op: op, Data: []byte(text)})
		}
		r := NewReader(&drawn{stream, t}, pool, true)
		for _, w := range want {
			got, err := r.Read(Limits{1 << 20, 1000})
			if err != nil || got.Op != w.Op || !bytes.Equal(got.Data, w.Data) {
				t.Fatalf("%+.200v, %v, want %+.200v", got, err, w)
			}
			if _, begun := r.Begun(); begun && r.op == 0 {
				t.Fatal("something has begun behind the end of a message")
			}
		}
		if _, err := r.Read(Limits{1 << 20, 1000}); !errors.Is(err, io.EOF) {
			t.Fatalf("at the end came %v", err)
		}
		r.Release()
	})
}

// TestBounds: each bound ends a message when it is passed, not when the message ends.
func TestBounds(t *testing.T) {
	t.Parallel()
	pool := NewPool()
	frame := func(first byte, payload string) string {
		return string(appendFrame(nil, first, 0x01020304, []byte(payload)))
	}
	long := frame(0x81, strings.Repeat("x", 2000))
	bomb := string(pool.Pack(nil, bytes.Repeat([]byte("0"), 1<<20)))
	for _, tt := range []struct {
		name, sent string
		kind       Kind
		code       int
	}{
		{"announced", long[:8], KindSize, 1009},
		{"in fragments", frame(1, strings.Repeat("x", 600)) + frame(0, strings.Repeat("x", 600))[:8], KindSize, 1009},
		{"many fragments", frame(1, "x") + strings.Repeat(frame(0, "x"), 10), KindFragments, 1009},
		{"many empty fragments", frame(1, "") + strings.Repeat(frame(0, ""), 10), KindFragments, 1009},
		{"a bomb", frame(0xc2, bomb[:len(bomb)-4])[:], KindSize, 1009},
		{"packed rubbish", frame(0xc1, "\xff\xff\xff"), KindPacked, 1007},
		{"packed text that is none", frame(0xc1, string(bytes.TrimSuffix(pool.Pack(nil, []byte("abc\xffabcabcabcabc")), []byte(tail)))), KindUTF8, 1007},
	} {
		r := NewReader(strings.NewReader(tt.sent), pool, true)
		var bad *Error
		for bad == nil {
			got, err := r.Read(Limits{1000, 10})
			if err == nil && got.Op == Continuation {
				continue
			}
			if !errors.As(err, &bad) || bad.Kind != tt.kind || bad.Code != tt.code || bad.Broken || bad.Text == "" {
				t.Fatalf("%s: %+v, %v", tt.name, got, err)
			}
		}
	}
}

// TestBomb: what unpacks to more than is allowed is given up when it passes that, in no more memory.
func TestBomb(t *testing.T) {
	t.Parallel()
	pool := NewPool()
	const limit = 64 << 10
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 32<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if packed.Len() > limit {
		t.Fatalf("the bomb has %d bytes", packed.Len())
	}
	dst := new(buffer)
	bad := pool.unpack(dst, &buffer{bytes.TrimSuffix(packed.Bytes(), []byte(tail))}, limit)
	if bad == nil || bad.Kind != KindUnpacked || bad.Code != 1009 {
		t.Fatalf("the bomb got %v", bad)
	}
	if cap(dst.b) > 3*limit {
		t.Errorf("%d bytes were taken for it", cap(dst.b))
	}
}

// TestMemoryFollowsWhatComes: a header that announces much takes no memory.
func TestMemoryFollowsWhatComes(t *testing.T) {
	t.Parallel()
	head := appendFrame(nil, 0x82, 0, make([]byte, 1<<20))[:14+10]
	r := NewReader(bytes.NewReader(head), NewPool(), false)
	if _, err := r.Read(Limits{1 << 20, 1}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if n := cap(r.msg.b); n > 1024 {
		t.Errorf("%d bytes are held for 10", n)
	}
	if number, begun := r.Begun(); number != 1 || !begun {
		t.Error(number, begun)
	}
}

// TestGoesOnAfterAnError: after what is not Broken, control frames are still found, whatever stands between.
func TestGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	var stream []byte
	stream = appendFrame(stream, 0x81, 7, bytes.Repeat([]byte("x"), 5000))
	stream = appendFrame(stream, 0x82, 8, bytes.Repeat([]byte("x"), 300))
	stream = appendFrame(stream, 0x89, 9, []byte("p"))
	r := NewReader(iotest.HalfReader(bytes.NewReader(stream)), NewPool(), false)
	if _, err := r.Read(Limits{1000, 10}); err == nil {
		t.Fatal("5,000 bytes were taken")
	}
	if got, err := r.Read(Limits{1000, 10}); err != nil || got.Op != Ping || string(got.Data) != "p" {
		t.Fatalf("%+v, %v", got, err)
	}
}

// TestPackedInPieces: pieces that were packed by themselves, and stored ones, make one message.
func TestPackedInPieces(t *testing.T) {
	t.Parallel()
	pool := NewPool()
	rapid.Check(t, func(t *rapid.T) {
		var packed, plain []byte
		for range rapid.IntRange(1, 5).Draw(t, "pieces") {
			b := []byte(strings.Repeat(rapid.String().Draw(t, "text"), rapid.IntRange(0, 3000).Draw(t, "times")))
			plain = append(plain, b...)
			if len(b) < 1<<16 && rapid.Bool().Draw(t, "stored") {
				packed = AppendStored(packed, b)
			} else {
				packed = pool.Pack(packed, b)
			}
		}
		packed = bytes.TrimSuffix(pool.Pack(packed, nil), []byte(tail))
		var got buffer
		if bad := pool.unpack(&got, &buffer{packed}, len(plain)); bad != nil || !bytes.Equal(got.b, plain) {
			t.Fatalf("%v: %d bytes became %d", bad, len(plain), len(got.b))
		}
	})
}

// FuzzReader holds that nothing a client sends makes the reader fail otherwise than with an error of its own or of the
// socket, and that what it gives is what was promised.
func FuzzReader(f *testing.F) {
	f.Add(appendFrame(nil, 0x81, 1, []byte("hello")))
	f.Add(appendFrame(appendFrame(nil, 0x41, 1, []byte("\xcaH\xcd")), 0x80, 2, []byte("\xc9\xc9\x07\x00")))
	f.Add(appendFrame(nil, 0x88, 1, []byte("\x03\xe8")))
	f.Add(appendFrame(nil, 0x02, 1, make([]byte, 200)))
	pool := NewPool()
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := NewReader(iotest.OneByteReader(bytes.NewReader(sent)), pool, true)
		defer r.Release()
		for {
			got, err := r.Read(Limits{1000, 10})
			bad, isBad := errors.AsType[*Error](err)
			switch {
			case isBad && bad.Broken, err != nil && !isBad:
				if !isBad && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("an error that is not ours: %v", err)
				}
				return
			case err == nil && len(got.Data) > 1000, err == nil && got.Op == Text && !utf8.Valid(got.Data):
				t.Fatalf("%+v was given", got)
			}
		}
	})
}

// BenchmarkPack packs chat-like text of 1, 8 and 64 KiB, and unpacks it.
func BenchmarkPack(b *testing.B) {
	pool := NewPool()
	var text []byte
	for i := 0; len(text) < 64<<10; i++ {
		text = fmt.Appendf(text, `{"user":"u-%d","text":"message number %d of this room","at":%d},`, i%17, i, 1763719200123+i*977)
	}
	for _, size := range []int{1 << 10, 8 << 10, 64 << 10} {
		plain := text[:size]
		packed := pool.PackLast(nil, plain)
		b.Run(fmt.Sprintf("pack %d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportMetric(float64(size)/float64(len(packed)), "ratio")
			b.ReportAllocs()
			buf := make([]byte, 0, size)
			for b.Loop() {
				buf = pool.PackLast(buf[:0], plain)
			}
		})
		b.Run(fmt.Sprintf("unpack %d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			src, dst := new(buffer), new(buffer)
			for b.Loop() {
				src.b, dst.b = append(src.b[:0], packed...), dst.b[:0]
				if bad := pool.unpack(dst, src, size); bad != nil {
					b.Fatal(bad)
				}
			}
		})
	}
}

// BenchmarkRead reads masked messages of 128 bytes.
func BenchmarkRead(b *testing.B) {
	frame := appendFrame(nil, 0x81, 0x01020304, bytes.Repeat([]byte("x"), 128))
	src := &loop{b: bytes.Repeat(frame, 7)}
	r := NewReader(src, NewPool(), false)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(Limits{1 << 16, 1}); err != nil {
			b.Fatal(err)
		}
	}
}

// loop gives the same bytes again and again.
type loop struct {
	b  []byte
	at int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.b[l.at:])
	l.at = (l.at + n) % len(l.b)
	return n, nil
}
