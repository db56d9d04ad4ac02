// Package imserver is the IM server: it takes WebSocket connections, carries messages between them, and writes down in
// the words of package event what becomes of each, from the handshake to the one end that every connection has.
//
// [New] binds, [Server.Run] serves until its context ends and then drains. Clients come in on one listener; health,
// metrics and profiles have another. One goroutine reads a connection for its whole life, a second exists only while
// there is something to write, and one timer wheel keeps the heartbeats of all.
//
// Events pass a bounded queue to one goroutine that writes the log, so that a slow disk never holds up a connection;
// what the queue cannot take is counted and reported. A connection's start and end are taken together or not at all.
// Beside the log lies a ledger of the open connections: after a crash the next start writes the end (orphaned) of those
// that it finds there.
//
// What it leaves out: history, offline messages, and other nodes. Rooms and users are those of this process.
package imserver
