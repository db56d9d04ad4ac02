package queue

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Config says where a queue is and how large it may become.
type Config struct {
	Dir          string // made if it is missing
	MaxBytes     int64  // of entries that wait; what is released soon comes on top
	SegmentBytes int64  // from which size on a new segment is begun; 0: 16 MiB
	SyncEach     bool   // make each entry durable before Append returns
	FS           FS     // nil: OS
}

// Queue is entries on disk. One goroutine may append and read, others may call Release, Sync and the rest meanwhile.
type Queue struct {
	cfg     Config
	fs      FS
	problem error
	scratch []byte // Append's

	mu       sync.Mutex
	segments []*segment // in order; the last one is appended to
	next     uint64     // the number of the next entry
	read     cursor     // what Next gives
	waiting  int64      // bytes of entries that are not done
	stale    bool       // something is not durable yet
}

// segment is one file, with the entries from first on.
type segment struct {
	file  File
	path  string
	first uint64
	count uint64
	size  int64
	thin  bool // by Thin
}

func (s *segment) end() uint64 { return s.first + s.count }

// cursor is a place between entries.
type cursor struct {
	number uint64
	off    int64 // in the segment that holds number
}

const defaultSegment = 16 << 20

// Open opens the queue. Entries up to and including done need not be read again; numbering goes on behind it at least.
// What is torn or damaged is cut off, and Problem tells of it; the error is that the disk cannot be used.
func Open(cfg Config, done uint64) (*Queue, error) {
	if cfg.FS == nil {
		cfg.FS = OS{}
	}
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = defaultSegment
	}
	q := &Queue{cfg: cfg, fs: cfg.FS, next: done + 1}
	if err := q.fs.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, diskError("making the queue's directory", err)
	}
	if err := q.load(done); err != nil {
		q.closeFiles()
		return nil, err
	}
	return q, nil
}

// Problem says what Open has found damaged; nil if nothing.
func (q *Queue) Problem() error { return q.problem }

// Append appends one entry and returns its number and the bytes it takes. On ErrFull or a *DiskError nothing was
// appended.
func (q *Queue) Append(at time.Time, parts ...[]byte) (number uint64, bytes int64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h, size := head(q.next, at, parts)
	bytes = int64(headBytes + size)
	if size > MaxPayload {
		return 0, 0, fmt.Errorf("appending to the queue: %d bytes are more than an entry has", size)
	}
	if q.waiting > 0 && q.waiting+bytes > q.cfg.MaxBytes {
		return 0, 0, fmt.Errorf("appending to the queue: %w: %d bytes wait, at most %d may", ErrFull, q.waiting, q.cfg.MaxBytes)
	}
	s, err := q.segment()
	if err != nil {
		return 0, 0, err
	}
	q.scratch = append(q.scratch[:0], h[:]...)
	for _, p := range parts {
		q.scratch = append(q.scratch, p...)
	}
	if err := q.write(s); err != nil {
		return 0, 0, diskError("appending to the queue", err)
	}
	s.size += bytes
	s.count++
	q.waiting += bytes
	q.stale = q.stale || !q.cfg.SyncEach
	q.next++
	return q.next - 1, bytes, nil
}

// write puts scratch behind the segment's entries. What a failure leaves there is overwritten by the next try, and cut
// off by Open if there is none.
func (q *Queue) write(s *segment) error {
	_, err := s.file.WriteAt(q.scratch, s.size)
	if err == nil && q.cfg.SyncEach {
		err = s.file.Sync()
	}
	if err != nil {
		_ = s.file.Truncate(s.size) // the space is needed by others; where it fails too, the next try overwrites
	}
	return err
}

// segment gives the one to append to, beginning a new one where the last is large enough.
func (q *Queue) segment() (*segment, error) {
	if n := len(q.segments); n > 0 && q.segments[n-1].size < q.cfg.SegmentBytes && q.segments[n-1].end() == q.next {
		return q.segments[n-1], nil
	}
	path := filepath.Join(q.cfg.Dir, name(q.next))
	f, err := q.fs.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err == nil && q.cfg.SyncEach {
		err = q.fs.SyncDir(q.cfg.Dir)
	}
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return nil, diskError("beginning a segment of the queue", err)
	}
	if q.read.number == q.next {
		q.read.off = 0
	}
	s := &segment{file: f, path: path, first: q.next}
	q.segments = append(q.segments, s)
	return s, nil
}

// Next reads the next entry, its payload into buf, which grows as needed; ok is false at the end. A *DiskError moves
// nothing.
func (q *Queue) Next(buf []byte) (e Entry, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.segments {
		if q.read.number < s.first || q.read.number >= s.end() {
			continue
		}
		e, err := readEntry(s.file, q.read.off, s.size, buf)
		if err != nil && err != io.EOF { //nolint:errorlint // readEntry's own
			return Entry{}, false, diskError("reading the queue", fmt.Errorf("%s at byte %d: %w", s.path, q.read.off, err))
		}
		q.pass(s, e.Bytes)
		return e, true, nil
	}
	return Entry{}, false, nil
}

// Each gives every entry that Next would give to do, without moving it. A payload is valid until do returns.
func (q *Queue) Each(do func(Entry) error) error {
	q.mu.Lock()
	at := q.read
	q.mu.Unlock()
	var buf []byte
	for {
		e, ok, err := q.Next(buf)
		if err == nil && ok {
			buf = e.Payload
			err = do(e)
		}
		if err != nil || !ok {
			q.mu.Lock()
			q.read = at
			q.mu.Unlock()
			return err
		}
	}
}

// pass moves the cursor over an entry of s.
func (q *Queue) pass(s *segment, bytes int64) {
	q.read.number++
	q.read.off += bytes
	if q.read.number == s.end() && s != q.segments[len(q.segments)-1] {
		q.read.off = 0
	}
}

// Unread is how many entries Next would give.
func (q *Queue) Unread() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.next - q.read.number
}

// Pass says that the one entry that is unread need not be read, since the caller has it.
func (q *Queue) Pass(bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pass(q.segments[len(q.segments)-1], bytes)
}

// Done says that as many bytes of entries wait no longer.
func (q *Queue) Done(bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting -= bytes
}

// Bytes is how many bytes of entries wait, and Last the number of the last entry, done or not.
func (q *Queue) Bytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

// Last is the number of the last entry that was appended, now or before the queue was opened.
func (q *Queue) Last() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.next - 1
}

// Release deletes the segments all of whose entries are up to number: they must not be needed any more, whatever is
// killed. The segment being appended to stays.
func (q *Queue) Release(number uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.segments) > 1 && q.segments[0].end() <= number+1 && q.segments[0].end() <= q.read.number {
		s := q.segments[0]
		if err := q.fs.Remove(s.path); err != nil {
			return diskError("deleting a segment of the queue", err)
		}
		_ = s.file.Close() // it was deleted
		q.segments = q.segments[1:]
	}
	return nil
}

// Sync makes what was appended durable.
func (q *Queue) Sync() error {
	q.mu.Lock()
	if !q.stale {
		q.mu.Unlock()
		return nil
	}
	q.stale = false
	var last []File
	for _, s := range q.segments[max(0, len(q.segments)-unsynced):] {
		last = append(last, s.file)
	}
	q.mu.Unlock()
	var err error
	for _, f := range last {
		if e := f.Sync(); e != nil && !isClosed(e) {
			err = errors.Join(err, e)
		}
	}
	if err = errors.Join(err, q.fs.SyncDir(q.cfg.Dir)); err != nil {
		q.mu.Lock()
		q.stale = true
		q.mu.Unlock()
	}
	return diskError("making the queue durable", err)
}

// unsynced is how many of the last segments Sync looks after: syncing what is durable costs nothing.
const unsynced = 64

// Close makes the queue durable and closes its files.
func (q *Queue) Close() error {
	err := q.Sync()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closeFiles()
	return err
}

func (q *Queue) closeFiles() {
	for _, s := range q.segments {
		_ = s.file.Close() // nothing is waiting in it
	}
	q.segments = nil
}
