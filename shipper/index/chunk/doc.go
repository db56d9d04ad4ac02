// Package chunk makes of a partition's messages chunks that are the same chunks whoever makes them and however often:
// what a sink needs that has no document ids, so that a replay writes the same file or insert again and not a second.
//
// Where a chunk ends depends on size and time, and so on luck. Before anything of a chunk is written, its span of
// offsets is therefore laid down where all indexers see it, and the first to do so decides: who comes later, after a
// crash, a rebalance, or without knowing that the partition is no longer his, makes the very same chunk. Offsets are
// committed at the ends of chunks only.
package chunk
