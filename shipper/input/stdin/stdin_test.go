package stdin

import (
	"context"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"imwatch/shipper/input"
	"imwatch/shipper/multiline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func run(tb interface{ Fatal(...any) }, r io.Reader, o Options) (lines []input.Line, origin string) {
	err := New(r, o).Run(context.Background(), func(_ context.Context, c input.Chunk) error {
		lines, origin = append(lines, c.Lines...), c.Origin
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return lines, origin
}

func rule() Options {
	return Options{Rule: &multiline.Rule{Continue: regexp.MustCompile("^\t"), MaxLines: 5, MaxBytes: 100}, Patience: time.Second}
}

func TestLinesHaveTheirOffsets(t *testing.T) {
	t.Parallel()
	got, origin := run(t, strings.NewReader("a\n\nbc\r\nend"), Options{})
	want := []input.Line{{Text: "a"}, {Text: "", Offset: 2}, {Text: "bc\r", Offset: 3}, {Text: "end", Offset: 7}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, again := run(t, strings.NewReader("a\nother"), Options{}); again != origin {
		t.Error("the same stream is not recognised")
	}
}

func TestLongLinesComeInPieces(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3*input.MaxPiece+7)
	for _, o := range []Options{{}, rule()} {
		got, _ := run(t, strings.NewReader("a\n"+long+"\nb\n"), o)
		text := ""
		for i, l := range got[1 : len(got)-1] {
			if l.Part != i+1 || l.Offset != int64(2+len(text)) || len(l.Text) > 2*input.MaxPiece {
				t.Errorf("piece %d is numbered %d, at %d", i, l.Part, l.Offset)
			}
			text += l.Text
		}
		if text != long || got[len(got)-1] != (input.Line{Text: "b", Offset: int64(len(long) + 3)}) {
			t.Errorf("%d bytes of %d", len(text), len(long))
		}
	}
}

// In whatever pieces a stream comes, its lines and groups are the same.
func TestAnySplitGivesTheSameLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.StringMatching("\t?x{0,9}\n")).Draw(t, "lines"), "")
		for _, o := range []Options{{}, rule()} {
			want, _ := run(t, strings.NewReader(text), o)
			got, _ := run(t, iotest.OneByteReader(strings.NewReader(text)), o)
			if d := cmp.Diff(want, got); d != "" {
				t.Fatal(d)
			}
		}
	})
}

// The last group of lines is handed over when nothing has come for a while.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		got := make(chan input.Line, 9)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- New(r, rule()).Run(ctx, func(_ context.Context, c input.Chunk) error {
				for _, l := range c.Lines {
					got <- l
				}
				return nil
			})
		}()
		if _, err := w.Write([]byte("a\n\tb\n")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(got) > 0 {
			t.Error("nothing was waited for")
		}
		<-time.After(time.Second)
		synctest.Wait()
		if len(got) != 1 || (<-got).Text != "a\n\tb" {
			t.Error("it waits for ever")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = w.Close()
	})
}
