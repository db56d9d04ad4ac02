// Package redis shares the topics, sessions, presence and leases of an IM server's nodes through Redis: Streams hold the
// messages, scripts order them and know them again, pub/sub hands them out. Redis Cluster and Sentinel serve as well; the
// keys of one topic, and those of one user, share a slot.
//
// When Redis is lost the node goes on alone: a circuit breaker lets calls fail at once, published messages go into a
// journal on this node's disk and are handed out on it, and the journal is replayed in order when Redis is back.
//
// What it leaves out: the clients, and which sessions hear a message; the Receiver's affair.
package redis
