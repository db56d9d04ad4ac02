package detector

import (
	"context"
	"fmt"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/shard"
	"imwatch/detector/window"
)

const shardMagic = "imwatch-shard-1"

// restore makes the engine from the newest whole state, or a fresh one. A state that cannot be used is told, and reading
// begins at the oldest message: what comes twice then has the same ids.
func (e *evaluator) restore() error {
	b, err := e.log.Load(e.ctx)
	if err != nil {
		return err
	}
	if b != nil {
		if err = e.restoreFrom(b); err == nil {
			return nil
		}
		e.d.metrics.checkpoints.WithLabelValues("unusable").Inc()
		e.d.log.WithError(err).WithField("shard", e.number).
			Error("the shard's state cannot be used: everything that its topic still holds is read again")
	}
	return e.begin()
}

// begin makes a fresh engine. It evaluates nothing before it has heard of every partition of the source: what comes
// from one must not make late what another router is still to bring.
func (e *evaluator) begin() (err error) {
	ends, err := e.d.deps.Bus.Ends(e.ctx, e.d.topic)
	if err != nil {
		return fmt.Errorf("asking where %s ends: %w", e.d.topic, err)
	}
	if e.engine, err = engine.New(e.rules.rules, e.options()); err != nil {
		return err
	}
	for p := range ends {
		e.engine.Hold(p)
	}
	e.position, e.filter, e.rejected = 0, shard.Filter{}, rejections{}
	return nil
}

func (e *evaluator) options() engine.Options {
	o := e.d.optionsFor(e.overflow)
	o.Shard, o.Shards = e.number, e.s.n
	return o
}

func (e *evaluator) restoreFrom(b []byte) error {
	d := window.NewDecoder(b)
	if d.String() != shardMagic {
		return fmt.Errorf("%w: found other bytes at its beginning, or another version", errCheckpoint)
	}
	if n, shards := d.Uint(), d.Uint(); n != uint64(e.number) || shards != uint64(e.s.n) { //nolint:gosec // never negative
		return fmt.Errorf("%w: it is for shard %d of %d", errCheckpoint, n, shards)
	}
	position := d.Int()
	var filter shard.Filter
	filter.Decode(d)
	var rejected []string
	for range d.Len(1) {
		rejected = append(rejected, d.String())
	}
	health := []byte(d.String())
	snapshot := []byte(d.String())
	if d.Err() != nil || d.Rest() > 0 {
		return fmt.Errorf("%w: its parts do not fit together", errCheckpoint)
	}
	restored, err := engine.Restore(e.rules.rules, e.options(), snapshot)
	if err != nil {
		return err
	}
	e.engine, e.position, e.filter, e.rejected = restored, position, filter, rejections{}
	e.rejected.restore(rejected)
	if e.health != nil {
		if err := e.health.restore(health); err != nil {
			e.d.log.WithError(err).Warn("what was known of the detectors' health is lost")
		}
	}
	restored.Resume(e.d.deps.Now().UnixNano())
	return nil
}

// state gives the shard's state as it is now; its checksum is the changelog's.
func (e *evaluator) state() []byte {
	var enc window.Encoder
	enc.String(shardMagic)
	enc.Len(e.number)
	enc.Len(e.s.n)
	enc.Int(e.position)
	e.filter.Encode(&enc)
	lines := e.rejected.lines()
	enc.Len(len(lines))
	for _, line := range lines {
		enc.String(line)
	}
	var health []byte
	if e.health != nil {
		health = e.health.state()
	}
	enc.Blob(health)
	enc.Blob(e.engine.Snapshot())
	e.rank = e.position
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.bytes = len(enc.Bytes())
	return enc.Bytes()
}

// save writes the state when it is time, and counts the one before.
func (e *evaluator) save() {
	if r, ok := e.saver.result(); ok {
		e.saved(r)
	}
	if e.dirty && len(e.pending) == 0 && e.saver.due() {
		e.dirty = false
		e.saver.save(e.state)
	}
}

func (e *evaluator) saved(r saved) {
	if r.err == nil {
		e.d.metrics.checkpoints.WithLabelValues("written").Inc()
		e.d.metrics.checkpoint.Observe(r.took.Seconds())
		return
	}
	e.dirty = true
	if e.ctx.Err() != nil {
		return // it was ended meanwhile
	}
	e.d.metrics.checkpoints.WithLabelValues("failed").Inc()
	e.d.log.WithError(r.err).WithField("shard", e.number).
		Error("the shard's state could not be written: who takes it over repeats what came since the last one")
}

// lastState is how long a shard that is given up in order may take for its state.
const lastState = 10 * time.Second

// close writes the last state, if the shard is still ours. Alerts that could not be produced are made again from the one
// before.
func (e *evaluator) close() error {
	if err := e.saver.finish(); err != nil {
		e.dirty = true
	}
	if context.Cause(e.ctx) != errStopped || e.paused || len(e.pending) > 0 || !e.dirty { //nolint:errorlint // it is never wrapped
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), lastState)
	defer cancel()
	if err := e.log.Save(ctx, e.position, e.state()); err != nil {
		e.d.log.WithError(err).WithField("shard", e.number).Warn("the last state could not be written: who takes the shard over repeats some seconds")
	}
	return nil
}
