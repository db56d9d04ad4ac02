// Package rule is the language of detection rules: the Rule as evaluators see it, the strict loader that makes rules
// from YAML and says every fault with file, line and column, and the rendering of what an alert tells people.
//
// Evaluators (stream, query, backtest), the rule tests and the linter all work on the same *Rule. The package decides
// nothing about events: it knows no window and keeps no state. What a rule means is written in docs/rules.md.
package rule
