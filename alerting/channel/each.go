package channel

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Each tells addresses one by one and makes one result of theirs. Those that accepted in an earlier attempt are left
// out. They are written down by their tags.
func Each(n Notification, addresses []string, tell func(address string) Result) Result {
	var results []Result
	var took []string
	for _, a := range addresses {
		if slices.Contains(n.Done, Tag(a)) {
			continue
		}
		r := tell(a)
		if r.Verdict == Accepted {
			took = append(took, Tag(a))
		}
		results = append(results, r)
	}
	return Merge(results, took, len(n.Done))
}

// Tag stands for a number or address where it is written down: numbers of people are in no log and no store.
func Tag(address string) string {
	h := sha256.Sum256([]byte(address))
	return "number-" + hex.EncodeToString(h[:6])
}

// BudgetKey names a budget by what is called, without giving it away.
func BudgetKey(kind, address string) string {
	h := sha256.Sum256([]byte(address))
	return kind + "-" + hex.EncodeToString(h[:8])
}
