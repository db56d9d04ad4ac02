// Package ruletest runs the tests that stand inside rules and says what differs, for people and as JUnit XML.
//
// A test is a sequence of events with relative times: when they happened, when they arrived, where the engine is
// thrown away and restored, and which state changes must come of it. It runs through the very engine that evaluates
// the stream, as a file would: arrival is an order, not a time. The detector runs all tests before it takes a rule in.
package ruletest
