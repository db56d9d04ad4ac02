package rule

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The severities of findings.
const (
	FindingError   = "error"   // the rule is not loaded
	FindingWarning = "warning" // the rule is loaded, but probably says something else than was meant
)

// Finding is one thing that the loader has to say about a rule file.
type Finding struct {
	File     string `json:"file"`
	Line     int    `json:"line"`   // from 1; 0 where the file itself is meant
	Column   int    `json:"column"` // in characters, from 1
	Severity string `json:"severity"`
	RuleID   string `json:"rule_id,omitempty"` // "" where the rule has none that could be read
	Message  string `json:"message"`
	// Besides are the other files that the rule was read from, or would be were they there: what to watch for a repair.
	Besides []string `json:"-"`
}

// String prints the finding in one line: file:line:column: error: message [rule].
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	fmt.Fprintf(&b, ": %s: %s", f.Severity, f.Message)
	if f.RuleID != "" {
		fmt.Fprintf(&b, " [%s]", f.RuleID)
	}
	return b.String()
}

// HasErrors says whether a rule was refused or a file could not be read.
func HasErrors(fs []Finding) bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == FindingError })
}

// WriteText prints findings one a line.
func WriteText(w io.Writer, fs []Finding) error {
	for _, f := range fs {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return fmt.Errorf("writing findings: %w", err)
		}
	}
	return nil
}

// WriteJSON prints findings as one JSON array.
func WriteJSON(w io.Writer, fs []Finding) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(append([]Finding{}, fs...)); err != nil { // never null
		return fmt.Errorf("writing findings: %w", err)
	}
	return nil
}
