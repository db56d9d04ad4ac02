// Package status is what indexers tell of themselves to those who run them: how far each partition is, what is on its way
// to the store, and whether all is well.
//
// Only the shapes of the answers are here, and the handler that serves them; the numbers are the indexer's. Sizes are
// bytes, rates are messages a second, times of day are UTC; lengths of time have their unit in the name.
package status
