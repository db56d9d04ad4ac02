package shipper

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"imwatch/event"
	"imwatch/shipper/multiline"
	"imwatch/shipper/parse"
)

// Multiline says which lines belong together, such as a stack trace to the line before it.
type Multiline struct {
	Start    string        `yaml:"start" doc:"expression (Go's) found in lines that begin an event; all others belong to the one before"`
	Continue string        `yaml:"continue" doc:"expression found in lines that belong to the one before; with start, a line that both find begins one, and one that neither finds too"`
	MaxLines int           `yaml:"max_lines" doc:"most lines of one event; what is more becomes an event of its own"`
	MaxBytes int           `yaml:"max_bytes" doc:"most bytes of one event of several lines; what is more becomes an event of its own"`
	Timeout  time.Duration `yaml:"timeout" doc:"how long the last event of a file waits for more lines while the file does not change"`
}

// SetDefaults fills in what is not the user's to say.
func (m *Multiline) SetDefaults() {
	m.MaxLines, m.MaxBytes, m.Timeout = 500, 48<<10, 5*time.Second
}

// rule makes the rule; nil without one. The error joins all faults; each begins with its key.
func (m *Multiline) rule() (*multiline.Rule, error) {
	if m == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("multiline."+format, args...)) }
	r := &multiline.Rule{MaxLines: m.MaxLines, MaxBytes: m.MaxBytes}
	for _, x := range []struct {
		key, text string
		to        **regexp.Regexp
	}{{"start", m.Start, &r.Start}, {"continue", m.Continue, &r.Continue}} {
		if x.text == "" {
			continue
		}
		exp, err := regexp.Compile(x.text)
		if err != nil {
			bad("%s: %w", x.key, err)
		}
		*x.to = exp
	}
	if m.Start == "" && m.Continue == "" {
		bad("start: one of start and continue is needed")
	}
	if m.MaxLines < 2 || m.MaxLines > 10_000 {
		bad("max_lines: found %d, allowed are 2 to 10000", m.MaxLines)
	}
	if m.MaxBytes < 1<<10 || m.MaxBytes > event.MaxLine {
		bad("max_bytes: found %d, allowed are 1024 to %d", m.MaxBytes, event.MaxLine)
	}
	if m.Timeout < 100*time.Millisecond || m.Timeout > time.Hour {
		bad("timeout: found %s, allowed are 100ms to 1h", m.Timeout)
	}
	return r, errors.Join(errs...)
}

// What becomes of text that is too long.
const (
	TooLongLetter = "dead_letter"
	TooLongCut    = "cut"
)

// reasonTooLarge is the parsers' reason for refusing such a text.
const reasonTooLarge = "too_large"

// keptBytes is what is kept of text that is cut: the record stays below the limit with what is added, and escaped.
const keptBytes = 24 << 10

// cutText gives the beginning of a text that is too long, not in the middle of a character.
func cutText(text string) string {
	n := min(keptBytes, len(text))
	for n > 0 && n < len(text) && n > keptBytes-utf8.UTFMax && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// flagCut marks a record as one whose line was cut.
func flagCut(rec []byte) []byte { return append(rec[:len(rec)-1], `,"labels.truncated":"true"}`...) }

// firstLine gives the line, or the lines that belong together, that text begins with: as it is there, and as it is
// read, without its end.
func (s *source) firstLine(text string) (raw, line string) {
	if s.rule != nil {
		raw = text[:s.rule.Next(text, true)]
		line = strings.TrimSuffix(raw, "\n")
		if strings.Contains(line, "\r") {
			line = strings.ReplaceAll(line, "\r\n", "\n")
		}
	} else {
		line, _, _ = strings.Cut(text, "\n")
		raw = text[:min(len(line)+1, len(text))]
	}
	return raw, strings.TrimSuffix(line, "\r")
}

// byteOrderMark may stand at the beginning of a file that was made on Windows.
const byteOrderMark = "\ufeff"

// bare gives a line that begins oddly without what is none of it: the mark at a file's beginning, and bytes 0 that a
// truncation has left. In a file the line stands behind those, as it does when they are read by themselves.
func (r *reader) bare(line string) string {
	begins := r.origin.Offset == 0
	if line[0] == 0 {
		rest := strings.TrimLeft(line, "\x00")
		zeros := len(line) - len(rest)
		r.metrics.zeros.Add(float64(zeros))
		if r.in.now == nil {
			r.origin.Offset += int64(zeros)
		}
		line = rest
	}
	if begins {
		line = strings.TrimPrefix(line, byteOrderMark)
	}
	return line
}

// shorten ships the beginning of a line that is too long, if its source wants that, and says whether it did.
func (r *reader) shorten(src *source, line string) bool {
	if !src.cut {
		return false
	}
	b, start := r.batch, len(r.batch.arena)
	rec, err := src.parser.Parse(b.arena, &r.event, cutText(line), r.origin)
	if err != nil && !errors.Is(err, parse.ErrSampled) {
		return false
	}
	if err == nil {
		b.arena = flagCut(rec)
		b.add(start, r.event.Key())
	}
	src.read.add(readCut)
	r.passed()
	return true
}
