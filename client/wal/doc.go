// Package wal keeps what a client has to send until the server has acknowledged it: a bounded queue with a write-ahead
// log. An entry is durable when [Log.Add] returns, has an id that no other entry has ever had, and is there again after
// a restart until [Log.Remove] took it out. Adds that come at the same time share one fsync. A crash at any byte costs
// nothing that Add returned: what was half written is cut off. Without a path the queue is in memory.
package wal
