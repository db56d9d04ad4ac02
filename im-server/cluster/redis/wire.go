package redis

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"imwatch/im-server/cluster"
)

// A message is a head and its body. The head is text that scripts can read: At, j or b (JSON or bytes), the lengths of From
// and of Session, each with a space behind it, then From, Session and ID.
func head(m *cluster.Message) string {
	b := make([]byte, 0, 48+len(m.From)+len(m.Session)+len(m.ID))
	b = strconv.AppendInt(b, m.At, 10)
	b = append(b, ' ', 'j', ' ')
	if m.Binary {
		b[len(b)-2] = 'b'
	}
	b = append(strconv.AppendInt(b, int64(len(m.From)), 10), ' ')
	b = append(strconv.AppendInt(b, int64(len(m.Session)), 10), ' ')
	b = append(b, m.From...)
	b = append(b, m.Session...)
	return string(append(b, m.ID...))
}

var errWire = errors.New("it is no message of this version")

func parseHead(h string, m *cluster.Message) error {
	f := fields{rest: h}
	at, kind, from, session := f.number(), f.word(), f.number(), f.number()
	if f.bad || kind != "j" && kind != "b" {
		return fmt.Errorf("reading the head %.60q: %w", h, errWire)
	}
	m.At, m.Binary = at, kind == "b"
	m.From, m.Session = f.take(from), f.take(session)
	if m.ID = f.rest; f.bad {
		return fmt.Errorf("reading the head %.60q: %w", h, errWire)
	}
	return nil
}

// fields reads words with a space behind each.
type fields struct {
	rest string
	bad  bool
}

func (f *fields) word() string {
	word, rest, ok := strings.Cut(f.rest, " ")
	f.rest, f.bad = rest, f.bad || !ok
	return word
}

func (f *fields) number() int64 {
	n, err := strconv.ParseInt(f.word(), 10, 64)
	f.bad = f.bad || err != nil
	return n
}

// take reads so many bytes.
func (f *fields) take(n int64) string {
	if f.bad = f.bad || n < 0 || n > int64(len(f.rest)); f.bad {
		return ""
	}
	out := f.rest[:n]
	f.rest = f.rest[n:]
	return out
}

// parseFeed reads what the script publishes: epoch, offset and the head's length, each with a space behind it, head, body.
func parseFeed(topic, payload string) (*cluster.Message, error) {
	f := fields{rest: payload}
	m := &cluster.Message{Topic: topic, Epoch: f.word(), Offset: f.number()}
	head := f.take(f.number())
	if f.bad {
		return nil, fmt.Errorf("reading a message of %s: %w", topic, errWire)
	}
	m.Body = []byte(f.rest)
	if err := parseHead(head, m); err != nil {
		return nil, err
	}
	return m, nil
}

// record writes a message for the journal.
func record(m *cluster.Message) []byte {
	var dst []byte
	for _, s := range [...]string{m.Topic, head(m)} {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return append(dst, m.Body...)
}

func parseRecord(b []byte) (*cluster.Message, error) {
	var parts [2]string
	for i := range parts {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, fmt.Errorf("reading a record of the journal: %w", errWire)
		}
		parts[i], b = string(b[size:size+int(n)]), b[size+int(n):]
	}
	m := &cluster.Message{Topic: parts[0], Body: b}
	if err := parseHead(parts[1], m); err != nil {
		return nil, err
	}
	return m, nil
}

// identity is what deduplication knows a message by, within its topic.
func identity(m *cluster.Message) string {
	return strconv.Itoa(len(m.From)) + " " + m.From + m.ID
}
