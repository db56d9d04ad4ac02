// Package shipper brings the lines of log files to the bus: each line once written is acknowledged by the broker, in
// the order of its file, whatever is rotated, killed or away meanwhile.
//
// It reads (package tail), makes records (package parse), seals them into batches, which it keeps on disk (package
// queue) until they are acknowledged, and only then moves its checkpoint. What it sends again after a kill is
// recognised by the brokers, and has the same ids. Every second it tells everybody how far it has come: the watermarks
// of the event contract. Lines that are no events become dead letters (package deadletter).
package shipper
