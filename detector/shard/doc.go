// Package shard lets several detectors share one stream: it turns records of im.lifecycle into frames for the shards that
// they concern, reads such frames, and keeps each shard's state in a compacted topic from which its next owner goes on.
//
// A shard is a part of all keys of all rules, see engine.Routes. A [Router] writes each event once to every shard that
// owns one of its keys, and to all of them what it does to the clocks of nodes, in the order of its partition. So every
// shard's engine knows the clocks that one engine for all would know. A [Filter] passes over what a router repeats
// after a crash. [Changelog] keeps states.
//
// What runs them is package detector. Nothing here looks at a clock or starts a goroutine.
package shard

import "fmt"

// Names of the topics and groups that n detecting shards use. The number is part of the name: with another number of
// shards every key may belong to another one, so nothing of the old may be mixed with the new.

// Topic is where routers write for n shards, a partition for each.
func Topic(n int) string { return fmt.Sprintf("im.shards.%d", n) }

// StateTopic is where the states of n shards are kept, a partition for each.
func StateTopic(n int) string { return fmt.Sprintf("im.detector.state.%d", n) }

// RouterGroup is the consumer group of the routers, and Group that of the owners of shards.
func RouterGroup(n int) string { return fmt.Sprintf("imwatch-detect-router-%d", n) }

// Group is the consumer group of the owners of n shards.
func Group(n int) string { return fmt.Sprintf("imwatch-detect-%d", n) }
