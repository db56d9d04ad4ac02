// Package parse makes records for the bus of the lines of log files. Contract JSON is checked and passed on as it was
// written; JSON and text of others are taken apart (event.Walk, dissect, grok), and a list of fields makes events of the
// contract of the parts (mapping). What is done to every event afterwards, Stages says: fields are added, some events
// are left out, some values are taken out.
//
// A line is a record, or it is left out on purpose (ErrIgnored, ErrSampled), or it is a *LineError for the dead letters:
// nothing is lost for being wrong. A parser is not safe for concurrent use; make one for each goroutine.
package parse
