package detector

import "time"

// saver writes checkpoints beside the evaluation: a slow disk delays the next checkpoint, not the alerts.
type saver struct {
	to    Checkpointer
	every time.Duration
	now   func() time.Time
	rate  int // bytes a second that are written on average at most; 0: any number
	next  time.Time
	done  chan saved // nil while none is being written
}

type saved struct {
	took time.Duration
	err  error
}

func newSaver(to Checkpointer, every time.Duration, now func() time.Time) *saver {
	return &saver{to: to, every: every, now: now}
}

// share is which part of the time checkpoints may take: with a million keys one takes seconds, and a second between
// them would leave none for evaluation.
const share = 20

// due says whether it is time for a checkpoint.
func (s *saver) due() bool { return s.done == nil && !s.now().Before(s.next) }

// save makes a checkpoint and writes it in a goroutine of its own.
func (s *saver) save(take func() []byte) {
	began := s.now()
	b := take()
	done := make(chan saved, 1)
	s.done = done
	go func() {
		err := s.to.Save(b)
		done <- saved{s.now().Sub(began), err}
	}()
	pause := max(s.every, share*s.now().Sub(began))
	if s.rate > 0 {
		pause = max(pause, time.Duration(float64(len(b))/float64(s.rate)*float64(time.Second)))
	}
	s.next = began.Add(pause)
}

// result gives what became of the checkpoint last begun, once; ok is false while it is being written.
func (s *saver) result() (r saved, ok bool) {
	select {
	case r = <-s.done:
		s.done = nil
		return r, true
	default:
		return saved{}, false
	}
}

// finish waits for the checkpoint being written.
func (s *saver) finish() error {
	if s.done == nil {
		return nil
	}
	r := <-s.done
	s.done = nil
	return r.err
}

// save writes a checkpoint when it is time, and counts the one before.
func (d *Detector) save() {
	if r, ok := d.saver.result(); ok {
		if r.err != nil {
			d.metrics.checkpoints.WithLabelValues("failed").Inc()
			d.log.WithError(r.err).Error("the checkpoint could not be written: a restart now repeats what came since the last one")
			d.dirty = true
		} else {
			d.metrics.checkpoints.WithLabelValues("written").Inc()
			d.metrics.checkpoint.Observe(r.took.Seconds())
		}
	}
	if d.dirty && len(d.pending) == 0 && d.saver.due() {
		d.dirty = false
		d.saver.save(d.checkpoint)
	}
}
