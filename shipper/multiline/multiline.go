// Package multiline tells which lines of text belong together: a stack trace belongs to the line before it.
//
// Where one group ends and the next begins depends on nothing but the lines from the beginning of a group on. So it
// makes no difference in which pieces a file is read, or where reading it was interrupted.
package multiline

import (
	"regexp"
	"strings"
)

// Rule says which lines belong together. Safe for concurrent use.
type Rule struct {
	// Start, if set, finds lines that begin a group.
	Start *regexp.Regexp
	// Continue, if set, finds lines that do not. With both, a line that Start finds begins a group whatever Continue
	// says, and one that neither finds begins one too.
	Continue *regexp.Regexp
	// MaxLines and MaxBytes, newlines included, are what one group has at most. What is more is a group of its own. Both
	// are above 0. A single line may be longer than MaxBytes.
	MaxLines, MaxBytes int
}

// begins says whether a line begins a group. A carriage return at its end is none of it, nor are bytes 0 in front of it,
// which a truncation leaves.
func (r *Rule) begins(line string) bool {
	line = strings.TrimLeft(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), "\x00")
	if r.Start != nil && r.Start.MatchString(line) {
		return true
	}
	return r.Continue != nil && !r.Continue.MatchString(line)
}

// Next gives the length of the group that text begins with. It is 0 where more lines may belong to it, unless last
// says that none will. Text is whole lines; at the end the last may lack its newline.
func (r *Rule) Next(text string, last bool) int {
	n := 0
	for lines := 0; n < len(text); lines++ {
		line := firstLine(text[n:])
		if lines > 0 && (lines >= r.MaxLines || n+len(line) > r.MaxBytes || r.begins(line)) {
			return n
		}
		n += len(line)
	}
	if last {
		return n
	}
	return 0
}

// Cut gives how much of text, which begins with a group, is whole groups.
func (r *Rule) Cut(text string, last bool) int {
	if last {
		return len(text)
	}
	n := r.lastStart(text)
	for {
		more := r.Next(text[n:], false)
		if more == 0 {
			return n
		}
		n += more
	}
}

// lastStart gives where the last line stands that begins a group; 0 where none does. Before it everything is whole.
func (r *Rule) lastStart(text string) int {
	for end := len(text); end > 0; {
		at := strings.LastIndexByte(text[:end-1], '\n') + 1
		if r.begins(text[at:end]) {
			return at
		}
		end = at
	}
	return 0
}

func firstLine(text string) string {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return text[:i+1]
	}
	return text
}
