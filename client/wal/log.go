package wal

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Options bounds a log. The zero Options means the defaults.
type Options struct {
	Messages int   // entries at one time; default 10,000
	Bytes    int64 // of their data; default 16 MiB

	compact int64 // size of a file below which it is left as it is
}

// Errors of Add.
var (
	ErrFull   = errors.New("the queue is full")
	ErrClosed = errors.New("the queue is closed")
)

// Entry is one thing to send.
type Entry struct {
	ID   string // unique for ever: a random name of the log and a number
	Data []byte // as it was added; not to be changed
}

// Log is a queue of entries. Safe for concurrent use. Make one with [Open]; Close it.
type Log struct {
	max Options

	mu      sync.Mutex // guards the fields below
	changed *sync.Cond
	state   *state
	file    file   // nil: in memory
	buf     []byte // records that are not written yet
	added   uint64 // number of the newest record in state or buf
	synced  uint64 // number of the newest record that is on the disk
	writing bool   // somebody writes without holding mu
	size    int64  // of the file, with buf
	err     error  // the file is not what it should be: nothing more is taken
	cut     int64
}

// Open opens the log in a file, and makes it if there is none; its folder must be there. A path of "" is a log in
// memory. The file is locked: it belongs to one process at a time.
func Open(path string, o Options) (*Log, error) {
	if path == "" {
		return open(nil, nil, o)
	}
	f, data, err := openDisk(path)
	if err != nil {
		return nil, fmt.Errorf("opening the queue: %w", err)
	}
	l, err := open(f, data, o)
	if err != nil {
		return nil, fmt.Errorf("opening the queue %s: %w", path, errors.Join(err, f.close()))
	}
	return l, nil
}

func open(f file, data []byte, o Options) (*Log, error) {
	o.Messages, o.Bytes = cmp.Or(o.Messages, 10_000), cmp.Or(o.Bytes, 16<<20)
	o.compact = cmp.Or(o.compact, 64<<10)
	if o.Messages < 0 || o.Bytes < 0 || o.Bytes > maxRecord/2 {
		return nil, fmt.Errorf("found bounds of %d messages and %d bytes, expected more than 0 and at most %d bytes", o.Messages, o.Bytes, maxRecord/2)
	}
	l := &Log{max: o, file: f}
	l.changed = sync.NewCond(&l.mu)
	var good int
	l.state, good = replay(data)
	l.size, l.cut = int64(good), int64(len(data)-good)
	fresh := l.state.prefix == ""
	if fresh && len(data) > 0 { // a new file is put in its place whole
		return nil, errors.New("it is no queue's file, or its beginning is damaged")
	}
	if fresh {
		l.state.prefix = strings.ToLower(rand.Text()[:13])
	}
	if f != nil && (fresh || l.cut > 0) {
		if err := l.rewrite(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Cut says how many bytes at the end of the file were not whole when it was opened: what was being written when the
// process before died.
func (l *Log) Cut() int64 { return l.cut }

// Entries gives what is queued, oldest first.
func (l *Log) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Entry, 0, len(l.state.entries))
	for _, n := range slices.Sorted(maps.Keys(l.state.entries)) {
		list = append(list, Entry{l.id(n), l.state.entries[n]})
	}
	return list
}

// Len is how many entries are queued.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.state.entries)
}

func (l *Log) id(number uint64) string { return l.state.prefix + "-" + strconv.FormatUint(number, 10) }

// Add queues a copy of data and returns when it is on the disk. ErrFull and ErrClosed mean that it was not queued; after
// another error it is not known, and nothing more is taken.
func (l *Log) Add(data []byte) (id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return "", l.err
	case len(l.state.entries) >= l.max.Messages:
		return "", fmt.Errorf("%w: %d messages wait", ErrFull, len(l.state.entries))
	case l.state.bytes+int64(len(data)) > l.max.Bytes:
		return "", fmt.Errorf("%w: %d bytes wait, %d more are over %d", ErrFull, l.state.bytes, len(data), l.max.Bytes)
	}
	r := record{kindAdd, l.state.next, bytes.Clone(data)}
	mine := l.note(r)
	if err := l.settle(mine, true); err != nil {
		l.state.remove(r.number)
		return "", err
	}
	return l.id(r.number), nil
}

// Remove takes an entry out. That is written but not forced to the disk: after a power cut it may be there again, under
// the same id. An id that is not there is passed over.
func (l *Log) Remove(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	prefix, text, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || prefix != l.state.prefix || l.state.entries[n] == nil {
		return nil // an id of another log
	}
	if l.err != nil {
		return l.err
	}
	return l.settle(l.note(record{kind: kindRemove, number: n}), false)
}

// note takes a record up, and gives its number. mu is held.
func (l *Log) note(r record) uint64 {
	l.state.apply(r)
	if l.added++; l.file != nil {
		before := len(l.buf)
		l.buf = r.append(l.buf)
		l.size += int64(len(l.buf) - before)
	}
	return l.added
}

// settle returns when a record is written, and on the disk if sync says so. Whoever finds nobody writing writes for all
// that wait. mu is held, but not while writing.
func (l *Log) settle(number uint64, sync bool) error {
	if l.file == nil {
		return nil
	}
	for sync && l.synced < number || !sync && len(l.buf) > 0 {
		switch {
		case l.err != nil:
			return l.err
		case l.writing && !sync:
			return nil // the one who writes sees to the rest
		case l.writing:
			l.changed.Wait()
		default:
			l.write(sync)
		}
	}
	return nil
}

// write writes what waits. mu is held, but not while writing.
func (l *Log) write(sync bool) {
	if l.size > l.max.compact && l.size > 4*(l.state.bytes+int64(len(l.state.entries))*24) {
		l.broken(l.rewrite())
		return
	}
	buf, upTo := l.buf, l.added
	l.buf, l.writing = nil, true
	l.mu.Unlock()
	err := l.file.append(buf, sync)
	l.mu.Lock()
	if l.writing = false; err == nil && sync {
		l.synced = upTo
	}
	l.broken(err)
	if !sync && len(l.buf) > 0 && l.err == nil { // of removals that did not wait
		l.write(false)
	}
}

// rewrite puts a file with no more than the state in the place of the old one. mu is held: it is done seldom.
func (l *Log) rewrite() error {
	data := l.state.whole()
	if err := l.file.replace(data); err != nil {
		return fmt.Errorf("writing the queue anew: %w", err)
	}
	l.buf, l.size, l.synced = nil, int64(len(data)), l.added
	return nil
}

// broken notes that the file cannot be relied on. What the disk has after a failed write or fsync is not known. mu is
// held.
func (l *Log) broken(err error) {
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("the queue cannot be written: %w", err)
	}
	l.changed.Broadcast()
}

// Close writes what waits and unlocks the file. Entries stay in it.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.writing {
		l.changed.Wait()
	}
	if errors.Is(l.err, ErrClosed) {
		return nil
	}
	var err error
	if l.file != nil {
		if l.err == nil {
			err = l.file.append(l.buf, true)
		}
		err = errors.Join(err, l.file.close())
	}
	l.err = ErrClosed
	l.changed.Broadcast()
	if err != nil {
		return fmt.Errorf("closing the queue: %w", err)
	}
	return nil
}
