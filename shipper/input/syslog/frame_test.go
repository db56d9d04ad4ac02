package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// all takes a stream apart that comes in pieces.
func all(stream []byte, most int, size func(left int) int) (msgs []string, err error) {
	f := framer{most: most}
	for read := 0; read < len(stream); {
		read += size(len(stream) - read)
		buf := stream[:read]
		for {
			msg, n, _, err := f.next(buf)
			if err != nil {
				return msgs, err
			}
			if n == 0 {
				break
			}
			if msg != nil {
				msgs = append(msgs, string(msg))
			}
			buf, stream, read = buf[n:], stream[n:], read-n
		}
	}
	return msgs, nil
}

// Both framings can stand in one stream, and in whatever pieces it comes its messages are the same.
func TestAnySplitGivesTheSameMessages(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var stream bytes.Buffer
		var want []string
		for range rapid.IntRange(0, 9).Draw(t, "messages") {
			text := rapid.StringMatching(`<[1-9]>[a-z0-9 ]{0,40}`).Draw(t, "text")
			if rapid.Bool().Draw(t, "counted") {
				text = strings.ReplaceAll(text, "a", "\n")
				fmt.Fprintf(&stream, "%d %s", len(text), text)
				text = text[:min(len(text), 30)]
			} else {
				text = text[:min(len(text), 30)]
				stream.WriteString(text + "\n")
			}
			want = append(want, text)
		}
		got, err := all(stream.Bytes(), 30, func(left int) int { return rapid.IntRange(1, left).Draw(t, "piece") })
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q instead of %q, %v", got, want, err)
		}
	})
}

func TestFramesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"12x", "1234567890 x", "3\n<1>"} {
		if _, _, _, err := (&framer{most: 100}).next([]byte(stream)); !errors.Is(err, errFrame) {
			t.Errorf("%q: %v", stream, err)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("5 <1>ab<2>c\n\x007 "), uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		whole, err1 := all(stream, 20, func(left int) int { return left })
		parts, err2 := all(stream, 20, func(left int) int { return min(left, int(piece)+1) })
		if (err1 == nil) != (err2 == nil) || !slices.Equal(whole, parts) {
			t.Fatalf("%q, %v in one, %q, %v in pieces", whole, err1, parts, err2)
		}
	})
}
