package shipper

import (
	"errors"
	"fmt"
	"path/filepath"

	"imwatch/shipper/queue"
)

// state is what a shipper finds of its earlier life.
type state struct {
	acknowledged checkpoint // by the broker
	read         checkpoint // with what is in the queue: where reading goes on
	queue        *queue.Queue
	positions    *queue.Positions
	held         []queue.Position
	release      func() error // of the queue's directory
}

// open reads the checkpoint and opens the queue, and tells of what is damaged.
func (s *Shipper) open() (st *state, err error) {
	st = &state{}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close())
		}
	}()
	var problem error
	if st.acknowledged, problem = loadCheckpoint(s.cfg.Checkpoint); problem != nil {
		s.deps.Log.WithError(problem).Error("a checkpoint could not be used; the one before it is, or all is read from the beginning")
	}
	st.read = st.acknowledged
	dir := s.cfg.queueDir()
	if dir == "" {
		return st, nil
	}
	files := s.deps.Files
	if files == nil {
		files = queue.OS{}
	}
	if err := files.MkdirAll(dir, 0o750); err != nil {
		return st, fmt.Errorf("making the queue's directory: %w", err)
	}
	if st.release, err = lock(filepath.Join(dir, "lock")); err != nil {
		return st, err
	}
	if st.positions, st.held, problem, err = queue.OpenPositions(files, dir); err != nil {
		return st, err
	}
	st.queue, err = queue.Open(queue.Config{
		Dir: dir, MaxBytes: s.cfg.Queue.MaxBytes, SegmentBytes: segmentBytes(s.cfg.Queue.MaxBytes), SyncEach: s.cfg.Queue.Fsync == FsyncAlways, FS: files,
	}, st.acknowledged.Entry)
	if err != nil {
		return st, err
	}
	if problem = errors.Join(problem, st.queue.Problem()); problem != nil {
		s.deps.Log.WithError(problem).Error("the queue was damaged; what is missing in it is read from the logs again, and may be sent twice, under the same ids")
	}
	return st, st.replay(s)
}

// segmentBytes is how large a segment of a queue becomes: what is freed of it, and dropped if it is full, is freed by segments.
func segmentBytes(most int64) int64 { return min(16<<20, max(64<<10, most/8)) }

// replay brings the positions up to what is in the queue.
func (st *state) replay(s *Shipper) error {
	n := st.queue.Unread()
	l := newLedger(st.acknowledged, s.deps.Now())
	err := st.queue.Each(func(e queue.Entry) error {
		c, _, err := decodeEntry(e.Payload)
		if err != nil {
			return fmt.Errorf("reading entry %d of the queue: %w", e.Number, err)
		}
		l.acknowledge(&c, e.Number)
		return nil
	})
	if err != nil {
		return err
	}
	if n > 0 {
		s.metrics.recovered.Add(float64(n))
		s.deps.Log.WithField("entries", n).WithField("bytes", st.queue.Bytes()).Info("the queue has what was not acknowledged; it is sent first")
	}
	st.read = l.checkpoint(s.deps.Now())
	return nil
}

func (st *state) close() error {
	var errs []error
	if st.queue != nil {
		errs = append(errs, st.queue.Close())
	}
	if st.positions != nil {
		errs = append(errs, st.positions.Close())
	}
	if st.release != nil {
		errs = append(errs, st.release())
	}
	*st = state{}
	return errors.Join(errs...)
}
