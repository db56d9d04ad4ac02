package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// A snapshot is: magic, version, the state, and the CRC-32C of all that. The state of a rule stands under its id and
// fingerprint, so that it goes only to a rule that decides the same.
const (
	magic   = "imdet"
	version = 6
)

// ErrSnapshot is returned (wrapped) by Restore for bytes that are no snapshot of this version, or a damaged one.
var ErrSnapshot = errors.New("not a usable snapshot")

// Snapshot writes the whole state: windows, spells, ids, clocks, what is in the buffers, and state changes not yet
// drained are none, since Advance and Finish give them all.
func (e *Engine) Snapshot() []byte {
	var enc window.Encoder
	enc.String(magic)
	enc.Uint(version)
	enc.Int(e.greatest)
	e.seen.Encode(&enc)
	places := e.encodeRules(&enc)
	enc.Len(len(e.lanes))
	for _, l := range e.lanes {
		l.encode(&enc, places)
	}
	e.encodeSources(&enc)
	b := enc.Bytes()
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// Restore makes an engine for rules that goes on where the snapshot was taken. Rules that decide otherwise than then
// start fresh; the first Advance resolves what rules had told that are no longer there.
func Restore(rules []*rule.Rule, o Options, snapshot []byte) (*Engine, error) {
	body, err := checked(snapshot)
	if err != nil {
		return nil, fmt.Errorf("restoring the engine: %w", err)
	}
	e, err := New(rules, o)
	if err != nil {
		return nil, fmt.Errorf("restoring the engine: %w", err)
	}
	d := window.NewDecoder(body)
	e.greatest = d.Int()
	e.seen.Decode(d)
	loads := e.decodeRules(d)
	base, restored := e.decodeLanes(d, loads)
	e.decodeSources(d)
	if d.Err() != nil || d.Rest() > 0 {
		return nil, fmt.Errorf("restoring the engine: %w: its parts do not fit together", ErrSnapshot)
	}
	for _, l := range e.lanes {
		if base != nil && !restored[l] { // spans that no rule had then
			fresh := base.like(l.lateness, l.idle)
			l.mark, l.start = fresh.mark, fresh.start
		}
		l.catchUp()
	}
	return e, nil
}

// checked gives the state within a snapshot.
func checked(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: %d bytes", ErrSnapshot, len(b))
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return nil, fmt.Errorf("%w: the checksum is wrong", ErrSnapshot)
	}
	d := window.NewDecoder(body)
	if d.String() != magic {
		return nil, fmt.Errorf("%w: found other bytes at its beginning", ErrSnapshot)
	}
	if v := d.Uint(); v != version {
		return nil, fmt.Errorf("%w: found version %d, this program reads %d", ErrSnapshot, v, version)
	}
	return body[len(body)-d.Rest():], nil
}

// encodeRules writes each rule's keys and gives the place of each in the snapshot.
func (e *Engine) encodeRules(enc *window.Encoder) map[*runner]int {
	places := map[*runner]int{}
	var all []*runner
	for _, l := range e.lanes {
		for _, r := range l.runners {
			places[r] = len(all)
			all = append(all, r)
		}
	}
	enc.Len(len(all))
	for _, r := range all {
		r.encode(enc)
	}
	return places
}

func (r *runner) encode(enc *window.Encoder) {
	enc.String(r.rule.ID)
	enc.String(r.fingerprint)
	enc.Int(r.lane.clock)
	encodeHead(enc, r)
	enc.Len(r.live)
	var state window.Encoder
	for _, k := range r.states {
		if k == nil {
			continue
		}
		enc.String(r.space.texts.get(k.key))
		encodeSpell(enc, k.spell)
		state.Reset()
		k.condition.Encode(&state)
		k.evidence.Encode(&state)
		enc.Blob(state.Bytes()) // with its length, so that it can be passed over when the rule is gone
	}
	r.encodeOverflow(enc)
}

// encodeHead writes what the alert lines of a rule say of it, for the day on which the rule is gone and its alerts
// are still to be resolved.
func encodeHead(enc *window.Encoder, r *runner) {
	for _, s := range []string{r.rule.Title, r.rule.Status, r.rule.Detect.Limit(), r.rule.Detect.WindowText()} {
		enc.String(s)
	}
	enc.Len(len(r.rule.Labels))
	for _, name := range slices.Sorted(maps.Keys(r.rule.Labels)) {
		enc.String(name)
		enc.String(r.rule.Labels[name])
	}
	enc.Len(len(r.space.fields))
	for _, f := range r.space.fields {
		enc.String(f.Name)
	}
	enc.Len(len(r.rule.Evidence.Top))
	for _, t := range r.rule.Evidence.Top {
		enc.String(t.Field.Name)
	}
}

func encodeSpell(enc *window.Encoder, sp *spell) {
	enc.Bool(sp != nil)
	if sp == nil {
		return
	}
	enc.Uint(uint64(sp.phase))
	enc.Int(sp.start)
	enc.String(sp.text)
	enc.String(sp.first)
	enc.String(sp.id)
	enc.Int(sp.ceased)
	enc.Float(sp.told)
	enc.String(sp.severity)
	enc.Bool(sp.degraded)
}

func decodeSpell(d *window.Decoder) *spell {
	if !d.Bool() {
		return nil
	}
	sp := &spell{
		phase: phase(d.Uint()), start: d.Int(), text: d.String(), first: d.String(), id: d.String(), //nolint:gosec // checked below
		ceased: d.Int(), told: d.Float(), severity: d.String(), degraded: d.Bool(),
	}
	if sp.phase > muted {
		d.Fail()
	}
	return sp
}

// head is what encodeHead wrote.
type head struct {
	id, title, status, limit, window string
	labels                           map[string]string
	fields                           []string
	tops                             []string
}

func decodeHead(d *window.Decoder, id string) head {
	h := head{id: id, title: d.String(), status: d.String(), limit: d.String(), window: d.String()}
	for range d.Len(2) {
		if h.labels == nil {
			h.labels = map[string]string{}
		}
		name := d.String()
		h.labels[name] = d.String()
	}
	for range d.Len(1) {
		h.fields = append(h.fields, d.String())
	}
	for range d.Len(1) {
		h.tops = append(h.tops, d.String())
	}
	return h
}

// farewell is the resolved line of an alert whose rule is gone.
func (h *head) farewell(key string, sp *spell, at int64) (*event.Alert, bool) {
	parts, ok := splitKey(key, len(h.fields))
	if !ok {
		return nil, false
	}
	a := &event.Alert{
		Time: instant(at), From: instant(sp.start), FromText: sp.text, To: instant(at), ID: sp.id, State: event.StateResolved,
		FirstEvent: sp.first, RuleID: h.id, RuleName: h.title, Status: h.status, Labels: h.labels, Severity: sp.severity,
		Value: sp.told, Degraded: sp.degraded, Limit: h.limit, Window: h.window,
	}
	for i, p := range parts {
		a.Key = append(a.Key, event.KeyPart{Field: h.fields[i], Value: p.String()})
	}
	return a, true
}
