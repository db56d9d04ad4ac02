package queue

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// suffix ends the names of segments. Its number is that of the format.
const suffix = ".queue1"

// damagedSuffix ends the names of segments that lie behind damage: what they hold is read from the logs again.
const damagedSuffix = ".damaged"

func name(first uint64) string { return fmt.Sprintf("%020d%s", first, suffix) }

func isClosed(err error) bool { return errors.Is(err, fs.ErrClosed) }

// load finds the segments and checks every entry: entries are only of use without holes, so all ends at the first one
// that is not whole.
func (q *Queue) load(done uint64) error {
	firsts, err := q.list()
	if err != nil {
		return err
	}
	q.read.number = done + 1
	placed := false
	for i, first := range firsts {
		s, whole, err := q.scan(first, done, &placed)
		if err != nil {
			return err
		}
		// Numbers that are done may be missing: numbering goes on behind what was done.
		if n := len(q.segments); n > 0 && s.first != q.segments[n-1].end() && (s.first < q.segments[n-1].end() || s.first > done+1) {
			q.found("%s does not follow on entry %d", s.path, q.segments[n-1].end()-1)
			_ = s.file.Close() // nothing is waiting in it
			if err := q.setAside(firsts[i:]); err != nil {
				return err
			}
			break
		}
		q.segments = append(q.segments, s)
		if !whole {
			if err := q.setAside(firsts[i+1:]); err != nil {
				return err
			}
			break
		}
	}
	if n := len(q.segments); n > 0 {
		q.next = max(q.next, q.segments[n-1].end())
	}
	if !placed { // nothing that is not done
		q.read = cursor{number: q.next}
		if n := len(q.segments); n > 0 && q.segments[n-1].end() == q.next {
			q.read.off = q.segments[n-1].size
		}
	}
	return nil
}

func (q *Queue) found(format string, args ...any) {
	q.problem = errors.Join(q.problem, fmt.Errorf(format, args...))
}

func (q *Queue) list() ([]uint64, error) {
	names, err := q.fs.ReadDir(q.cfg.Dir)
	if err != nil {
		return nil, diskError("looking for the queue's segments", err)
	}
	var firsts []uint64
	for _, n := range names {
		if strings.HasSuffix(n.Name(), suffix+thinSuffix) { // what was being thinned is there as it was
			if err := q.fs.Remove(filepath.Join(q.cfg.Dir, n.Name())); err != nil {
				return nil, diskError("deleting what is left of a thinning", err)
			}
			continue
		}
		if base, is := strings.CutSuffix(n.Name(), suffix); is {
			if first, err := strconv.ParseUint(base, 10, 64); err == nil {
				firsts = append(firsts, first)
			}
		}
	}
	slices.Sort(firsts)
	return firsts, nil
}

// scan opens a segment and cuts it off behind its last whole entry. The first entry that is not done is where reading
// begins.
func (q *Queue) scan(first, done uint64, placed *bool) (s *segment, whole bool, err error) {
	s = &segment{path: filepath.Join(q.cfg.Dir, name(first)), first: first}
	if s.file, err = q.fs.OpenFile(s.path, os.O_RDWR, 0o600); err != nil {
		return nil, false, diskError("opening a segment of the queue", err)
	}
	info, err := s.file.Stat()
	if err != nil {
		return nil, false, errors.Join(diskError("opening a segment of the queue", err), s.file.Close())
	}
	for {
		e, err := readEntry(s.file, s.size, info.Size(), q.scratch)
		if err == nil && e.Number != s.end() {
			err = fmt.Errorf("its number is %d, not %d: %w", e.Number, s.end(), errTorn)
		}
		switch {
		case errors.Is(err, io.EOF):
			return s, true, nil
		case errors.Is(err, errTorn):
			q.found("entry %d of the queue, in %s at byte %d: %w", s.end(), s.path, s.size, err)
			if err := s.file.Truncate(s.size); err != nil {
				return nil, false, errors.Join(diskError("cutting a torn entry off the queue", err), s.file.Close())
			}
			return s, false, nil
		case err != nil:
			return nil, false, errors.Join(diskError("reading the queue", err), s.file.Close())
		}
		q.scratch = e.Payload[:0]
		if e.Number > done {
			if !*placed {
				*placed, q.read = true, cursor{number: e.Number, off: s.size}
			}
			q.waiting += e.Bytes
		}
		s.size += e.Bytes
		s.count++
	}
}

// setAside renames segments that cannot be used any more.
func (q *Queue) setAside(firsts []uint64) error {
	for _, first := range firsts {
		path := filepath.Join(q.cfg.Dir, name(first))
		q.found("%s lies behind damage and is set aside; its lines are read from the logs again", path)
		if err := q.fs.Rename(path, path+damagedSuffix); err != nil {
			return diskError("setting a segment of the queue aside", err)
		}
	}
	return nil
}
