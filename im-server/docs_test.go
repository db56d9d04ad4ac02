package imserver

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"imwatch/event"
)

// TestProtocolDocumentSaysHowThingsEnd holds the tables of docs/protocol.md to the code: close codes with their rule, statuses
// of refusals, and why sessions are not resumed; each way, so that nothing stands there that is not so.
func TestProtocolDocumentSaysHowThingsEnd(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)

	want := map[string]bool{}
	for _, r := range event.CloseReasons() {
		if r.Code != 0 {
			want[fmt.Sprintf("%d %s %s", r.Code, r.Reason, r.Retry)] = true
		}
	}
	same(t, "close code", want, rows(doc, "## Closing", regexp.MustCompile("(?m)^\\| (\\d{4}) \\| `(\\w+)` \\| (resume|backoff|never) \\|"), "$1 $2 $3"))

	want = map[string]bool{}
	for _, r := range event.HandshakeReasons() {
		if r.Status != 0 {
			want[strconv.Itoa(r.Status)+" "+r.Reason] = true
		}
	}
	got := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d{3}) \| (.*) \|$`).FindAllStringSubmatch(doc, -1) {
		for reason := range strings.FieldsSeq(row[2]) {
			got[row[1]+" "+strings.Trim(reason, "`")] = true
		}
	}
	same(t, "refusal", want, got)

	want, got = map[string]bool{}, map[string]bool{}
	for _, r := range event.ResumeReasons() {
		want[r] = true
	}
	_, table, _ := strings.Cut(doc, "| `resume_reason` | meaning |")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, reason := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[1], -1) {
				got[reason[1]] = true
			}
		}
	}
	same(t, "resume reason", want, got)
}

// rows gives what pattern finds in a section.
func rows(doc, heading string, pattern *regexp.Regexp, form string) map[string]bool {
	_, section, _ := strings.Cut(doc, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	found := map[string]bool{}
	for _, at := range pattern.FindAllStringSubmatchIndex(section, -1) {
		found[string(pattern.ExpandString(nil, form, section, at))] = true
	}
	return found
}

func same(t *testing.T, what string, want, got map[string]bool) {
	t.Helper()
	for k := range want {
		if !got[k] {
			t.Errorf("the document has no %s %q", what, k)
		}
	}
	for k := range got {
		if !want[k] {
			t.Errorf("the document has %s %q, which is none", what, k)
		}
	}
}
