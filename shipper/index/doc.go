// Package index brings events from the bus into the store: each event once, under its own id, in the index of its own
// day and class. What the store refuses, and what is no event, is kept as a dead letter.
//
// It consumes in a group, so that more indexers share the load, and commits an offset only when the store has
// everything before it. A kill or a rebalance makes it put some events again; their ids make that harmless.
package index
