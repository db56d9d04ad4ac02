// Package deadletter is the form in which the pipeline keeps what it could not take: the original bytes, why, and
// where they came from. Nothing that was written is ever dropped for being wrong.
package deadletter

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"imwatch/event"
)

// Letter is one dead letter.
type Letter struct {
	At     time.Time // when it was found
	ID     string    // the document id; the same when the same bytes are found again. "": made of topic and offset
	Stage  string    // who found it: shipper, indexer
	Reason string    // class, for metrics: too_large, utf8, json, type, missing, pattern, rejected, …
	Detail string    // what was wrong and where
	// Where it came from: a file, or a topic and partition, and the offset in it.
	File      string
	Topic     string
	Partition int
	Offset    int64
	Part      int // of an original that is kept in several letters, from 0
	Original  []byte
}

// AppendJSON appends the letter as one JSON object. An original that is not UTF-8, or that JSON would blow up, is in
// base64 and "encoding" says so.
func (l *Letter) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"@timestamp":"`...)
	dst = event.AppendTime(dst, l.At)
	dst = append(dst, '"')
	dst = member(dst, "id", l.ID)
	dst = member(dst, "stage", l.Stage)
	dst = member(dst, "reason", l.Reason)
	dst = member(dst, "detail", l.Detail)
	dst = member(dst, "file", l.File)
	if l.Topic != "" {
		dst = member(dst, "topic", l.Topic)
		dst = append(dst, `,"partition":`...)
		dst = strconv.AppendInt(dst, int64(l.Partition), 10)
	}
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendInt(dst, l.Offset, 10)
	if l.Part > 0 {
		dst = append(dst, `,"part":`...)
		dst = strconv.AppendInt(dst, int64(l.Part), 10)
	}
	if plain(l.Original) {
		dst = append(dst, `,"original":`...)
		dst = event.AppendString(dst, string(l.Original))
	} else {
		dst = append(dst, `,"encoding":"base64","original":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, l.Original)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

func member(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return event.AppendString(dst, value)
}

// plain says whether JSON keeps the bytes as they are without growing by more than base64 would.
func plain(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	control := 0
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			control++
		}
	}
	return control*20 <= len(b)
}

// Split cuts a letter that is too large for its way into two, which hold the original between them.
func Split(l Letter) (Letter, Letter) {
	a, b := l, l
	k := len(l.Original) / 2
	a.Original, b.Original = l.Original[:k], l.Original[k:]
	if l.File != "" {
		b.Offset += int64(k)
	}
	b.Part = 2*l.Part + 2 // as in a heap: every cut of a cut has a number of its own
	a.Part = 2*l.Part + 1
	if l.ID != "" {
		a.ID, b.ID = l.ID+".a", l.ID+".b"
	}
	return a, b
}

// Decode reads a letter from its JSON.
func Decode(b []byte) (Letter, error) {
	var d struct {
		At        time.Time `json:"@timestamp"`
		ID        string    `json:"id"`
		Stage     string    `json:"stage"`
		Reason    string    `json:"reason"`
		Detail    string    `json:"detail"`
		File      string    `json:"file"`
		Topic     string    `json:"topic"`
		Partition int       `json:"partition"`
		Offset    int64     `json:"offset"`
		Part      int       `json:"part"`
		Encoding  string    `json:"encoding"`
		Original  string    `json:"original"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return Letter{}, fmt.Errorf("decoding a dead letter: %w", err)
	}
	original := []byte(d.Original)
	if d.Encoding == "base64" {
		var err error
		if original, err = base64.StdEncoding.DecodeString(d.Original); err != nil {
			return Letter{}, fmt.Errorf("decoding a dead letter's original: %w", err)
		}
	}
	return Letter{
		At: d.At, ID: d.ID, Stage: d.Stage, Reason: d.Reason, Detail: d.Detail, File: d.File,
		Topic: d.Topic, Partition: d.Partition, Offset: d.Offset, Part: d.Part, Original: original,
	}, nil
}
