package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unsafe"

	"imwatch/event"
	"imwatch/event/canary"
	"imwatch/event/deadletter"
	"imwatch/internal/bus"
)

// maxID is the longest id that a store takes, in bytes.
const maxID = 512

// preparer makes documents of messages. Not safe for concurrent use.
type preparer struct {
	now     func() time.Time
	metrics *metrics
	event   event.Event
	// again makes the same of a message whenever it is read: its own time is taken for the clock, its value for the
	// document, and a message that makes no document is an item without one.
	again bool
}

// clock is the time by which a message is judged.
func (p *preparer) clock(m bus.Message) time.Time {
	if p.again && !m.Time.IsZero() {
		return m.Time
	}
	return p.now()
}

// prepare adds what a message makes to the batch: an event's document, a dead letter, or nothing for a watermark.
func (p *preparer) prepare(b *batch, m bus.Message) {
	b.covers(m)
	if m.Topic == bus.TopicDeadLetter {
		p.passLetter(b, m)
		return
	}
	e, now := &p.event, p.clock(m)
	if err := event.DecodeString(text(m.Value), e); err != nil {
		reason := "unknown"
		if d, ok := errors.AsType[*event.DecodeError](err); ok {
			reason = d.Reason
		}
		p.refuse(b, m, reason, err.Error())
		return
	}
	if e.IsWatermark() {
		p.metrics.count(outcomeWatermark, 1)
		if canary.Is(e) {
			p.metrics.canaries.sing(m, e)
		}
		if p.again {
			b.items = append(b.items, item{from: m})
		}
		return
	}
	if reason, detail := unfit(e, now); reason != "" {
		p.refuse(b, m, reason, detail)
		return
	}
	if p.again {
		b.addAsItCame(m, e.Index(), e.ID())
		return
	}
	start := len(b.arena)
	b.arena = ingested(b.arena, m.Value, e, now)
	b.add(m, e.Index(), e.ID(), start)
}

// text gives a message's value as a string without a copy: nobody changes what came from the bus, and the batch holds it
// as long as the id that is a part of it.
func text(value []byte) string {
	return unsafe.String(unsafe.SliceData(value), len(value)) //nolint:gosec // as said
}

// unfit says why an event belongs in no index, "" if it does.
func unfit(e *event.Event, now time.Time) (reason, detail string) {
	at, level := e.Time(), e.Text(event.FieldLogLevel)
	switch {
	case e.ID() == "":
		return "missing", "event.id: a document needs one"
	case len(e.ID()) > maxID:
		return "id", fmt.Sprintf("event.id: %d bytes, at most %d are allowed", len(e.ID()), maxID)
	case at.After(now.Add(event.MaxAhead)):
		return "ahead", fmt.Sprintf("@timestamp: %s is more than %s ahead of the clock", event.FormatTime(at), event.MaxAhead)
	case event.Expired(level, at, now):
		return "expired", fmt.Sprintf("@timestamp: %s is older than the %d days that events of level %q are kept",
			event.FormatTime(at), event.ClassOf(level).Days, level)
	}
	return "", ""
}

// ingested appends the line to dst with event.ingested put in before its end.
func ingested(dst, line []byte, e *event.Event, now time.Time) []byte {
	body := bytes.TrimRight(line, " \t\r\n")
	if e.Has(event.FieldEventIngested) {
		return append(dst, body...)
	}
	dst = append(dst, body[:len(body)-1]...)
	dst = append(dst, `,"event.ingested":"`...)
	dst = event.AppendTime(dst, now)
	return append(dst, `"}`...)
}

func origin(m bus.Message) string {
	return m.Topic + "-" + strconv.Itoa(m.Partition) + "-" + strconv.FormatInt(m.Offset, 10)
}

// refuse makes a dead letter of a message. Its id and day are those of the message, so that it is one document
// however often the message is read.
func (p *preparer) refuse(b *batch, m bus.Message, reason, detail string) {
	l := p.letter(m, reason, detail)
	b.addLetter(m, event.DeadLetterIndex(l.At), l)
}

func (p *preparer) letter(m bus.Message, reason, detail string) deadletter.Letter {
	p.metrics.lament(m, reason, detail)
	at := m.Time
	if at.IsZero() {
		at = p.now()
	}
	return deadletter.Letter{
		At: at, ID: origin(m), Stage: "indexer", Reason: reason, Detail: detail,
		Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Original: m.Value,
	}
}

// passLetter takes a dead letter that another stage wrote, as it is.
func (p *preparer) passLetter(b *batch, m bus.Message) {
	var l struct {
		At time.Time `json:"@timestamp"`
		ID string    `json:"id"`
	}
	err := json.Unmarshal(m.Value, &l)
	if err == nil && (l.At.Year() < 1700 || l.At.Year() > 2200 || len(l.ID) > maxID) {
		err = fmt.Errorf("@timestamp between 1700 and 2200 and an id of at most %d bytes are needed", maxID)
	}
	if err != nil {
		p.refuse(b, m, "letter", "not a dead letter: "+err.Error())
		return
	}
	if l.ID == "" {
		l.ID = origin(m)
	}
	start := len(b.arena)
	b.arena = append(b.arena, m.Value...)
	b.add(m, event.DeadLetterIndex(l.At), l.ID, start)
	b.items[len(b.items)-1].letter = true
}
