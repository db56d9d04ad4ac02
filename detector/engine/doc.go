// Package engine evaluates rules over events in event time and says which alerts begin, change and end.
//
// It is the one evaluator behind all ways of running rules: the stream, the query evaluator, backtests and the tests
// inside rules differ only in where events come from and who moves the clock. The same events give the same alerts,
// byte for byte, in whatever order they arrive (while none is late), however they are cut into batches, and across
// any number of restarts from a snapshot.
//
// The way of an event: [Engine.Observe] moves the clock of the event's node, drops repeats and late events, and puts
// what the rules need of it into a buffer. [Engine.Advance] evaluates everything that the watermark has passed, in
// order of (@timestamp, event.id), and returns the state changes.
//
// Time is an argument everywhere. The package does no input or output, starts no goroutine and keeps no lock: an
// Engine belongs to one goroutine. It deliberately knows neither bus nor store.
package engine
