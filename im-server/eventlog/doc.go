// Package eventlog writes the event log of a node: one JSON line for each event, in a file that is renamed by size and
// age, and on standard output if asked.
//
// Who has something to say takes an empty event from [Log.Event], fills it and hands it to [Log.Put]; what opens and ends
// a connection goes to [Log.Begin] and [Log.End], which keep the pair whole. None of them blocks: events pass a bounded
// queue to the one goroutine that [Log.Run] is, and what the queue cannot take is counted ([Log.Dropped]). The queue
// gives the ids, so that their order is the order in the file.
//
// Beside the file lies a ledger of the open connections. After a crash [Log.Recover] writes the end (orphaned) of those
// that the ledger and the log say were lost.
package eventlog
