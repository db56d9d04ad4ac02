package channel

import (
	"fmt"
	"strings"
)

// Merge makes one result of those of several addresses. took names the addresses that accepted now, earlier is how
// many did before. While one address may still accept, the whole is to be tried again.
func Merge(results []Result, took []string, earlier int) Result {
	if len(results) == 0 {
		return Accept("every address has accepted before")
	}
	merged := Result{Verdict: Accepted, Took: took}
	refused := 0
	var words []string
	for _, r := range results {
		switch r.Verdict {
		case Permanent:
			refused++
		case Retry, Refresh:
			if merged.Verdict != Unanswered {
				merged.Verdict = Retry
			}
			merged.After = max(merged.After, r.After)
		case Unanswered:
			merged.Verdict = Unanswered
			merged.After = max(merged.After, r.After)
		}
		if r.Words != "" && (r.Verdict != Accepted || len(results) == 1) {
			words = append(words, r.Words)
		}
	}
	if merged.Verdict == Accepted && refused > 0 {
		merged.Verdict = Partial
		if len(took)+earlier == 0 {
			merged.Verdict = Permanent
		}
	}
	if len(words) == 0 {
		words = []string{fmt.Sprintf("%d addresses: %s", len(results), results[0].Words)}
	}
	merged.Words = clip(strings.Join(words, "; "))
	return merged
}
