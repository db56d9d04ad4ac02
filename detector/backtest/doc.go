// Package backtest runs rules over events of the past, from a file, a topic or a store, through the very engine that
// evaluates the stream, as fast as it can, and writes one line for each state change in order of event time.
//
// Nothing looks at the clock on the wall: the same events give the same bytes at any time and on any machine. A line
// that cannot be read is counted and reported with its number; it never ends a run.
package backtest
