// Package detector finds out that something is wrong: it runs rules over the events of im.lifecycle and writes what
// begins, changes and ends to im.alerts.
//
// [New] puts a [Detector] together, [Detector.Run] works until its context ends. It reads all partitions from where
// its checkpoint says, gives each event to the evaluator (package engine), produces state changes, and writes state and
// positions in one piece after what they contain was acknowledged. So killing it at any moment loses nothing and makes
// nothing twice but lines with the same id.
//
// Rules come from files that are looked at for changes. A rule that does not load, or whose own tests fail, leaves the
// version that runs in place and raises imwatch-rule-rejected.
//
// With Config.Shards above 0 several detectors share the work, see package shard. What it leaves out: who is told (package
// alerting).
package detector
