package redis

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"imwatch/im-server/cluster"
)

// A message is a head and its body. The head is text that scripts can read: At, a space, j or b (JSON or bytes), a
// space, the length of From, a space, From, ID.
func head(m *cluster.Message) string {
	b := make([]byte, 0, 40+len(m.From)+len(m.ID))
	b = strconv.AppendInt(b, m.At, 10)
	b = append(b, ' ', 'j', ' ')
	if m.Binary {
		b[len(b)-2] = 'b'
	}
	b = strconv.AppendInt(b, int64(len(m.From)), 10)
	b = append(b, ' ')
	b = append(b, m.From...)
	return string(append(b, m.ID...))
}

var errWire = errors.New("it is no message of this version")

func parseHead(h string, m *cluster.Message) error {
	at, rest, ok1 := strings.Cut(h, " ")
	kind, rest, ok2 := strings.Cut(rest, " ")
	size, rest, ok3 := strings.Cut(rest, " ")
	ms, err1 := strconv.ParseInt(at, 10, 64)
	n, err2 := strconv.Atoi(size)
	if !ok1 || !ok2 || !ok3 || err1 != nil || err2 != nil || n < 0 || n > len(rest) || kind != "j" && kind != "b" {
		return fmt.Errorf("reading the head %.60q: %w", h, errWire)
	}
	m.At, m.Binary, m.From, m.ID = ms, kind == "b", rest[:n], rest[n:]
	return nil
}

// parseFeed reads what the script publishes: epoch, offset and the head's length, each with a space behind it, head, body.
func parseFeed(topic, payload string) (*cluster.Message, error) {
	epoch, rest, ok1 := strings.Cut(payload, " ")
	offset, rest, ok2 := strings.Cut(rest, " ")
	size, rest, ok3 := strings.Cut(rest, " ")
	at, err1 := strconv.ParseInt(offset, 10, 64)
	n, err2 := strconv.Atoi(size)
	if !ok1 || !ok2 || !ok3 || err1 != nil || err2 != nil || n < 0 || n > len(rest) {
		return nil, fmt.Errorf("reading a message of %s: %w", topic, errWire)
	}
	m := &cluster.Message{Topic: topic, Epoch: epoch, Offset: at, Body: []byte(rest[n:])}
	if err := parseHead(rest[:n], m); err != nil {
		return nil, err
	}
	return m, nil
}

// appendRecord writes a message for the journal.
func appendRecord(dst []byte, m *cluster.Message) []byte {
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
