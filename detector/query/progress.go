package query

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/internal/store"
)

// ErrProgress is returned (wrapped) by Restore for bytes that are no progress of this rule as it is now.
var ErrProgress = errors.New("not usable as progress of this rule")

const progressMagic = "imwatch-query-3"

// Progress writes how far the evaluator has come and the state it has there.
func (e *Evaluator) Progress() []byte {
	var enc window.Encoder
	enc.String(progressMagic)
	enc.String(e.rule.ID)
	enc.String(e.rule.Fingerprint())
	enc.Int(e.floor)
	enc.Int(e.done)
	enc.Bool(!e.asked.IsZero())
	enc.Int(e.asked.UnixNano())
	enc.Len(len(e.told))
	for key, list := range e.told {
		enc.String(key)
		enc.Len(len(list))
		for _, t := range list {
			enc.String(t.key)
			enc.String(t.id)
			enc.Int(t.from)
			enc.Int(t.to)
			enc.String(t.text)
			enc.String(t.first)
			enc.Float(t.value)
			enc.String(t.severity)
			enc.Int(t.least)
			enc.Int(t.most)
		}
	}
	enc.Blob(e.engine.Snapshot())
	b := enc.Bytes()
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// Restore makes an evaluator that goes on where Progress was taken. The error is ErrProgress when the rule decides
// otherwise now, too.
func Restore(r *rule.Rule, reader store.Reader, o Options, progress []byte) (*Evaluator, error) {
	e, err := New(r, reader, o)
	if err != nil {
		return nil, err
	}
	n := len(progress) - 4
	if n < 0 || crc32.ChecksumIEEE(progress[:n]) != binary.LittleEndian.Uint32(progress[n:]) {
		return nil, fmt.Errorf("restoring a query: %w: the checksum is wrong", ErrProgress)
	}
	d := window.NewDecoder(progress[:n])
	if d.String() != progressMagic || d.String() != r.ID || d.String() != r.Fingerprint() {
		return nil, fmt.Errorf("restoring a query: %w: it is another version's, another rule's, or the rule has changed", ErrProgress)
	}
	e.floor, e.done = d.Int(), d.Int()
	if set, at := d.Bool(), d.Int(); set {
		e.asked = time.Unix(0, at).UTC()
	}
	for range d.Len(2) {
		key := d.String()
		for range d.Len(9) {
			e.told[key] = append(e.told[key], &told{
				key: d.String(), id: d.String(), from: d.Int(), to: d.Int(), text: d.String(), first: d.String(), value: d.Float(), severity: d.String(),
				least: d.Int(), most: d.Int(),
			})
		}
	}
	snapshot := []byte(d.String())
	if d.Err() != nil || d.Rest() > 0 {
		return nil, fmt.Errorf("restoring a query: %w: its parts do not fit together", ErrProgress)
	}
	if e.engine, err = engine.Restore([]*rule.Rule{r}, e.engineOptions(), snapshot); err != nil {
		return nil, fmt.Errorf("restoring a query: %w", err)
	}
	return e, nil
}
