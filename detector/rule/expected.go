package rule

import "time"

// Expected says which keys an absence rule expects: those of Keys, or, with Learn, every key seen within it.
type Expected struct {
	Keys  [][]string // values in the order of group_by; without group_by one key without values
	File  string     // where Keys were read; "": in the rule itself
	Learn time.Duration
}
