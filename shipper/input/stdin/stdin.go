// Package stdin takes lines from a pipe.
package stdin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"strings"
	"time"

	"imwatch/shipper/input"
	"imwatch/shipper/multiline"
)

// Options say how a stream is read.
type Options struct {
	Rule     *multiline.Rule // which lines belong together; nil: each is by itself
	Patience time.Duration   // how long the last of them wait for more; with a Rule it is above 0
}

// Stdin reads a stream of lines to its end. While no more can be taken it does not read on, which stops the writer.
type Stdin struct {
	r    io.Reader
	opts Options

	text   []byte // read and not handed over
	offset int64  // of text in the stream
	origin string
	part   int // pieces that were handed over of the line that text begins in
}

// New makes an input of r. It closes nothing.
func New(r io.Reader, o Options) *Stdin { return &Stdin{r: r, opts: o} }

// Ends is true: a stream has an end.
func (s *Stdin) Ends() bool { return true }

// readBytes is how much is read at once.
const readBytes = 64 << 10

// read is what one read has given.
type read struct {
	data []byte
	err  error
}

// Run reads until the stream or ctx ends. A read that is under way when ctx ends cannot be interrupted: it is left
// behind, and what it gives is lost.
func (s *Stdin) Run(ctx context.Context, give input.Give) error {
	reads, free := make(chan read), make(chan []byte, 1)
	free <- make([]byte, readBytes)
	go func() {
		for buf := range free {
			n, err := s.r.Read(buf)
			select {
			case reads <- read{buf[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	defer close(free)
	for {
		var waited <-chan time.Time
		if s.opts.Rule != nil && len(s.text) > 0 {
			waited = time.After(s.opts.Patience)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-waited:
			if err := s.hand(ctx, give, true, false); err != nil {
				return nil // the shipper is ending
			}
		case r := <-reads:
			s.text = append(s.text, r.data...)
			end := errors.Is(r.err, io.EOF)
			if r.err != nil && !end {
				return fmt.Errorf("reading standard input: %w", r.err)
			}
			if err := s.hand(ctx, give, end, end); err != nil || end {
				return nil // the shipper is ending
			}
			free <- r.data[:readBytes]
		}
	}
}

// hand gives the lines that are whole: with last the groups to which no more will belong too, and with end a last line
// without its newline.
func (s *Stdin) hand(ctx context.Context, give input.Give, last, end bool) error {
	for n := s.whole(last, end); n > 0; n = s.whole(last, end) {
		if err := give(ctx, s.chunk(n)); err != nil {
			return err
		}
	}
	return nil
}

// chunk takes the first n bytes.
func (s *Stdin) chunk(n int) input.Chunk {
	if s.origin == "" {
		first, _, _ := strings.Cut(string(s.text[:min(n, 4096)]), "\n")
		s.origin = fmt.Sprintf("stdin-%016x", crc64.Checksum([]byte(first), crc64.MakeTable(crc64.ECMA)))
	}
	c := input.Chunk{From: "stdin", Origin: s.origin, Lines: s.lines(string(s.text[:n]))}
	s.text, s.offset = append(s.text[:0], s.text[n:]...), s.offset+int64(n)
	return c
}

// whole gives how much of the text can be handed over.
func (s *Stdin) whole(last, end bool) int {
	if end {
		return len(s.text)
	}
	n := bytes.LastIndexByte(s.text, '\n') + 1
	if s.part > 0 && n > 0 {
		return bytes.IndexByte(s.text, '\n') + 1 // the end of a line that came in pieces
	}
	if n == 0 {
		if len(s.text) >= input.MaxPiece { // a piece of a line
			return input.MaxPiece
		}
		return 0
	}
	if s.opts.Rule == nil {
		return n
	}
	cut := s.opts.Rule.Cut(string(s.text[:n]), last)
	if cut == 0 && len(s.text) >= 2*input.MaxPiece {
		return n
	}
	return cut
}

// lines takes a text apart into lines, or pieces of one.
func (s *Stdin) lines(text string) []input.Line {
	var lines []input.Line
	for at := s.offset; text != ""; {
		line, rest, ended := strings.Cut(text, "\n")
		n := len(text) - len(rest)
		switch {
		case s.part > 0, !ended && len(text) >= input.MaxPiece:
			s.part++
			lines = append(lines, input.Line{Text: line, Offset: at, Part: s.part})
			if ended {
				s.part = 0
			}
		case s.opts.Rule != nil:
			n = s.opts.Rule.Next(text, true)
			line, rest = strings.TrimSuffix(text[:n], "\n"), text[n:]
			lines = input.Append(lines, line, at)
		default:
			lines = input.Append(lines, line, at)
		}
		at, text = at+int64(n), rest
	}
	return lines
}
