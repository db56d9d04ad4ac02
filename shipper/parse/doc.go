// Package parse makes records for the bus of the lines of log files: contract JSON is checked and passed on as it was
// written, text is taken apart by grok patterns into events of the contract.
//
// A line is either a record or a *LineError. A parser is not safe for concurrent use; make one for each goroutine.
package parse
