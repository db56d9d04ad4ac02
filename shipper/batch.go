package shipper

import (
	"imwatch/event/deadletter"
	"imwatch/internal/bus"
	"imwatch/shipper/tail"
)

// batch is what is read at once, and what may be said once it is acknowledged.
type batch struct {
	arena    []byte // where keys and values of records lie
	records  []bus.Message
	letters  []deadletter.Letter
	original int // bytes in letters
	change
}

func newBatch(lines, bytes int) *batch {
	return &batch{
		arena:   make([]byte, 0, bytes),
		records: make([]bus.Message, 0, min(lines, bytes/256+1)),
		change:  change{marks: map[tail.ID]tail.State{}},
	}
}

// reset empties the batch for its next use. Nobody may look at it any more.
func (b *batch) reset() {
	clear(b.records)
	clear(b.letters)
	_ = b.take()
	*b = batch{arena: b.arena[:0], records: b.records[:0], letters: b.letters[:0], change: b.change}
}

// bareRecord is what a record is larger than its line by, at most, in the usual case. A record that does not fit
// moves the arena, which costs a copy and is otherwise harmless.
const bareRecord = 1 << 10

// full says whether a line of n more bytes had better go into the next batch.
func (b *batch) full(n, lines, bytes int) bool {
	count := len(b.records) + len(b.letters)
	return count >= lines || count > 0 && len(b.arena)+b.original+n+bareRecord > bytes
}

// idle says that nothing would be moved by sending it.
func (b *batch) idle() bool { return len(b.records)+len(b.letters) == 0 && b.still() }

// add takes a record that was appended to the arena from start on, and its key.
func (b *batch) add(start int, key string) {
	end := len(b.arena)
	b.arena = append(b.arena, key...)
	b.records = append(b.records, bus.Message{Value: b.arena[start:end:end], Key: b.arena[end:len(b.arena):len(b.arena)]})
}
