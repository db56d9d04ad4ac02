package index

import (
	"cmp"
	"strings"
	"time"

	"imwatch/event/deadletter"
	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// batch is what is put at once.
type batch struct {
	arena    []byte // where the bodies lie
	items    []item
	bytes    int       // of the bodies
	since    time.Time // when its first message came
	produced time.Time // when that was produced
	last     map[place]bus.Message
	count    int // messages, those that make no document included
	read     int // their bytes
	done     chan struct{}
	// Set before done is closed: what may be committed then, and why there is no more to hope for.
	commit []bus.Message
	err    error
}

// place is one partition of one topic.
type place struct {
	topic     string
	partition int
}

// compare orders by topic, the events first, and partition.
func (p place) compare(o place) int {
	return cmp.Or(strings.Compare(o.topic, p.topic), cmp.Compare(p.partition, o.partition))
}

// item is a document and the message that it was made of.
type item struct {
	doc    store.Doc
	from   bus.Message
	letter bool
}

func newBatch(bytes int) *batch {
	return &batch{arena: make([]byte, 0, bytes), last: map[place]bus.Message{}, done: make(chan struct{})}
}

// reset empties the batch for its next use.
func (b *batch) reset() {
	clear(b.items)
	clear(b.last)
	*b = batch{arena: b.arena[:0], items: b.items[:0], last: b.last, done: make(chan struct{})}
}

// covers notes that the message is in the batch, whatever became of it.
func (b *batch) covers(m bus.Message) {
	b.count++
	b.read += len(m.Value)
	at := place{m.Topic, m.Partition}
	if old, ok := b.last[at]; !ok || m.Offset > old.Offset {
		b.last[at] = bus.Message{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset}
	}
}

// ends gives the last message of each partition.
func (b *batch) ends() []bus.Message {
	ms := make([]bus.Message, 0, len(b.last))
	for _, m := range b.last {
		ms = append(ms, m)
	}
	return ms
}

// add takes a document whose body was appended to the arena from start on.
func (b *batch) add(m bus.Message, index, id string, start int) {
	end := len(b.arena)
	b.bytes += end - start
	b.items = append(b.items, item{doc: store.Doc{Index: index, ID: id, Body: b.arena[start:end:end]}, from: m})
}

// addLetter takes a dead letter of a message.
func (b *batch) addLetter(m bus.Message, index string, l deadletter.Letter) {
	start := len(b.arena)
	b.arena = l.AppendJSON(b.arena)
	b.add(m, index, l.ID, start)
	b.items[len(b.items)-1].letter = true
}

// addAsItCame takes a message whose value is the document.
func (b *batch) addAsItCame(m bus.Message, index, id string) {
	b.bytes += len(m.Value)
	b.items = append(b.items, item{doc: store.Doc{Index: index, ID: id, Body: m.Value}, from: m})
}
