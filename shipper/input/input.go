// Package input is what the shipper takes lines by that come from elsewhere than files: a small port, which each kind
// of input implements in a folder of its own.
//
// An input owns no position: what was taken and not acknowledged when the process dies is the sender's to send again.
// So a chunk says how its lines are recognised when they come again, and is told when they are safe.
package input

import (
	"context"
	"unicode/utf8"
)

// MaxPiece is the most text in one Line, in bytes. A longer line comes in several.
const MaxPiece = 256 << 10

// Line is one line, or one message that may have several.
type Line struct {
	Text   string // without the newline that ended it
	Offset int64  // where it stands in what Chunk.Origin names
	Origin string // in place of Chunk.Origin, where the lines of a chunk have different ones
	Part   int    // of a line that is longer than MaxPiece: the number of this piece, from 1; 0: a whole line
}

// Chunk is some lines that came together.
type Chunk struct {
	From   string // where they came from, as it is written into events
	Origin string // what the offsets count in: the same for lines that are sent again
	Lines  []Line
	// Done, if set, is called once when all lines are acknowledged by what comes behind the shipper. It must return at
	// once.
	Done func()
}

// Give hands a chunk over. It blocks while no more can be taken, which is to be passed on to who sends. Its error is
// that of ctx, or says that the shipper is ending.
type Give func(ctx context.Context, c Chunk) error

// Input receives lines.
type Input interface {
	// Run receives until ctx ends or nothing more can come, and then waits for its goroutines. It is called once.
	Run(ctx context.Context, give Give) error
	// Ends says whether there is an end to it without ctx ending: a pipe has one, a listener has not.
	Ends() bool
}

// Append adds a line to lines, in pieces where it is too long.
func Append(lines []Line, text string, offset int64) []Line {
	if len(text) <= MaxPiece {
		return append(lines, Line{Text: text, Offset: offset})
	}
	for part := 1; text != ""; part++ {
		n := min(MaxPiece, len(text))
		for back := 0; back < utf8.UTFMax-1 && n < len(text) && n > 1 && !utf8.RuneStart(text[n]); back++ {
			n--
		}
		lines = append(lines, Line{Text: text[:n], Offset: offset, Part: part})
		text, offset = text[n:], offset+int64(n)
	}
	return lines
}
