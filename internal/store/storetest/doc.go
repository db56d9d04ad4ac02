// Package storetest is the one suite that every adapter of the store passes, on the real thing: Run makes its own
// indices, compares what the store finds with filter.Compile on the same events, and drops the indices again.
package storetest
