package queue

import (
	"errors"
	"os"
)

// thinSuffix ends the names of segments that are being written anew.
const thinSuffix = ".thin"

// Thin makes room: it writes the oldest segment anew that Next has given nothing of, each entry with the payload that
// rewrite makes of it, and gives how many bytes wait less. The segment that is appended to is left as it is, and so is
// one that was thinned before; freed is 0 where there is no other. Numbers stay without holes, and whenever the machine
// dies a segment is either as it was or thinned.
func (q *Queue) Thin(rewrite func(Entry) ([]byte, error)) (freed int64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.segments[:max(0, len(q.segments)-1)] {
		if s.thin || s.first < q.read.number {
			continue
		}
		freed, err = q.thin(s, rewrite)
		if err != nil {
			return 0, diskError("thinning the queue", err)
		}
		q.waiting -= freed
		if freed > 0 {
			return freed, nil
		}
	}
	return 0, nil
}

// thin writes a segment anew. The lock is held.
func (q *Queue) thin(s *segment, rewrite func(Entry) ([]byte, error)) (freed int64, err error) {
	f, err := q.fs.OpenFile(s.path+thinSuffix, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	size, err := q.copyThin(f, s, rewrite)
	if err == nil {
		err = f.Sync() // else the name might be there before the content after a power failure
	}
	if err == nil {
		err = q.fs.Rename(s.path+thinSuffix, s.path)
	}
	if err != nil {
		return 0, errors.Join(err, f.Close(), q.fs.Remove(s.path+thinSuffix))
	}
	_ = s.file.Close() // it has no name any more
	freed, s.file, s.size, s.thin = s.size-size, f, size, true
	if q.cfg.SyncEach {
		return freed, q.fs.SyncDir(q.cfg.Dir)
	}
	q.stale = true
	return freed, nil
}

// copyThin writes what rewrite makes of a segment's entries to f and gives its size.
func (q *Queue) copyThin(f File, s *segment, rewrite func(Entry) ([]byte, error)) (size int64, err error) {
	var buf, out []byte
	for off := int64(0); off < s.size; {
		e, err := readEntry(s.file, off, s.size, buf)
		if err != nil {
			return 0, err
		}
		buf, off = e.Payload, off+e.Bytes
		payload, err := rewrite(e)
		if err != nil {
			return 0, err
		}
		h, _ := head(e.Number, e.At, [][]byte{payload})
		out = append(append(out, h[:]...), payload...)
	}
	_, err = f.WriteAt(out, 0)
	return int64(len(out)), err
}
