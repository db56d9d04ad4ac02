package eventlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"imwatch/internal/disk"
)

// Record is what the ledger keeps of an open connection: enough to write its end after a crash.
type Record struct {
	ID      string `json:"open,omitempty"`
	At      int64  `json:"at,omitempty"` // nanoseconds since 1970
	Session string `json:"session,omitempty"`
	User    string `json:"user,omitempty"`
	Device  string `json:"device,omitempty"`
	IP      string `json:"ip,omitempty"`
	Port    int    `json:"port,omitempty"`
	Trace   string `json:"trace,omitempty"`
	Span    string `json:"span,omitempty"`
	Event   string `json:"event,omitempty"` // id of the connect line
	Owner   any    `json:"-"`               // whatever Deps.Began wants to know it by
}

// ledgerLine is one line of the ledger: the start of a boot, a connection opened or closed, or a mark that the node is
// alive and that the log is written up to a sequence.
type ledgerLine struct {
	Record
	Boot  string `json:"boot,omitempty"`
	Node  string `json:"node,omitempty"`
	Close string `json:"close,omitempty"`
	Alive int64  `json:"alive,omitempty"` // nanoseconds since 1970
	Seq   uint64 `json:"seq,omitempty"`   // every end up to it is in the ledger too
	Until int64  `json:"until,omitempty"` // end of the node's lease, nanoseconds since 1970
	Owes  string `json:"owes,omitempty"`  // an earlier boot whose ends are written, which others have not been told
	Paid  string `json:"paid,omitempty"`  // they have
}

// ledgerState is what a ledger said when it was read: the connections that a node held when it died.
type ledgerState struct {
	Node, Boot string
	Begun      time.Time // of the boot
	Alive      time.Time // the last mark; the boot's begin if there is none
	Until      time.Time // end of its lease; zero: it had none
	Seq        uint64
	Open       map[string]Record
	Owes       map[string]bool // boots before
	Bad        int             // lines that could not be read
}

// ledger is the file of a node's open connections, append-only, made small when most of it is past. A write is in the
// system's hands when a method returns: it outlives the process, not the machine. Owned by the log's goroutine.
type ledger struct {
	path string
	head ledgerLine
	sync bool // a compacted ledger is forced onto the disk
	f    *os.File
	buf  []byte
	live map[string][]byte // line of each open connection
	owes map[string]bool   // earlier boots
	size int64
	kept int64 // bytes of the lines in live

	unforced bool // something was written that may not be on the disk
}

// ledgerSlack is how many bytes of the past a ledger carries before it is written anew: about an hour of marks.
const ledgerSlack = 256 << 10

// readLedger reads what the node before left; a missing file is an empty state.
func readLedger(path string) (ledgerState, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ledgerState{}, fmt.Errorf("reading ledger of connections: %w", err)
	}
	return parseLedger(b), nil
}

// parseLedger reads a ledger. A torn last line was never written; other lines that cannot be read are passed over and
// counted: no ledger may keep a node from starting.
func parseLedger(b []byte) ledgerState {
	st := ledgerState{Open: map[string]Record{}, Owes: map[string]bool{}}
	for line := range bytes.Lines(b) {
		if line[len(line)-1] != '\n' {
			break
		}
		var l ledgerLine
		if json.Unmarshal(line, &l) != nil {
			st.Bad++
			continue
		}
		st.apply(l)
	}
	return st
}

func (st *ledgerState) apply(l ledgerLine) {
	switch {
	case l.Boot != "":
		st.Until = time.Time{}
		st.Node, st.Boot, st.Begun, st.Alive = l.Node, l.Boot, time.Unix(0, l.Alive), time.Unix(0, l.Alive)
	case l.ID != "":
		st.Open[l.ID] = l.Record
	case l.Close != "":
		delete(st.Open, l.Close)
	case l.Owes != "":
		st.Owes[l.Owes] = true
	case l.Paid != "":
		delete(st.Owes, l.Paid)
	case l.Alive != 0:
		st.Alive = time.Unix(0, l.Alive)
	}
	if l.Until != 0 {
		st.Until = time.Unix(0, l.Until)
	}
	st.Seq = max(st.Seq, l.Seq)
}

// newLedger begins the ledger of a boot in place of the one before.
func newLedger(path, node, boot string, at time.Time, sync bool, owes map[string]bool) (*ledger, error) {
	l := &ledger{path: path, head: ledgerLine{Boot: boot, Node: node, Alive: at.UnixNano()}, live: map[string][]byte{}, sync: sync, owes: owes}
	return l, l.compact(at, 0, 0)
}

// opened writes that a connection is open; after flush it is there.
func (l *ledger) opened(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding an open connection: %w", err)
	}
	line = append(line, '\n')
	l.live[r.ID] = line
	l.kept += int64(len(line))
	l.buf = append(l.buf, line...)
	return nil
}

func (l *ledger) closed(id string) {
	l.kept -= int64(len(l.live[id]))
	delete(l.live, id)
	l.buf = append(l.buf, `{"close":"`...)
	l.buf = append(l.buf, id...)
	l.buf = append(l.buf, "\"}\n"...)
}

// alive writes that the node lives at this moment, until when others know it (0: nobody does), and that all ends up to seq
// are in the ledger.
func (l *ledger) alive(at time.Time, seq uint64, until int64) error {
	l.buf = appendMark(l.buf, at, seq, until)
	if err := l.flush(); err != nil {
		return err
	}
	if l.size > 2*l.kept+ledgerSlack {
		return l.compact(at, seq, until)
	}
	return nil
}

// paid writes that others know of the end of an earlier boot.
func (l *ledger) paid(boot string) {
	delete(l.owes, boot)
	l.buf = fmt.Appendf(l.buf, "{\"paid\":%q}\n", boot)
}

func appendMark(dst []byte, at time.Time, seq uint64, until int64) []byte {
	dst = fmt.Appendf(dst, `{"alive":%d,"seq":%d`, at.UnixNano(), seq)
	if until != 0 {
		dst = fmt.Appendf(dst, `,"until":%d`, until)
	}
	return append(dst, "}\n"...)
}

func (l *ledger) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	n, err := l.f.Write(l.buf)
	l.size += int64(n)
	l.unforced = true
	l.buf = l.buf[:copy(l.buf, l.buf[n:])]
	if err != nil {
		return fmt.Errorf("writing ledger of connections: %w", err)
	}
	return nil
}

// compact writes the ledger anew with what is open, beside the old one, and puts it in its place.
func (l *ledger) compact(at time.Time, seq uint64, until int64) error {
	head := l.head
	head.Seq = seq
	b, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("encoding ledger of connections: %w", err)
	}
	b = append(b, '\n')
	for boot := range l.owes {
		b = fmt.Appendf(b, "{\"owes\":%q}\n", boot)
	}
	for _, line := range l.live {
		b = append(b, line...)
	}
	b = appendMark(b, at, seq, until)
	f, err := os.OpenFile(l.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("writing ledger of connections: %w", err)
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(fmt.Errorf("writing ledger of connections: %w", err), f.Close())
	}
	if l.sync {
		if err := f.Sync(); err != nil {
			return errors.Join(fmt.Errorf("syncing ledger of connections: %w", err), f.Close())
		}
	}
	if err := os.Rename(f.Name(), l.path); err != nil {
		return errors.Join(fmt.Errorf("replacing ledger of connections: %w", err), f.Close())
	}
	old := l.f
	l.f, l.size, l.buf = f, int64(len(b)), l.buf[:0]
	if l.sync {
		if err := disk.SyncDir(filepath.Dir(l.path)); err != nil {
			return err
		}
	}
	if old == nil {
		return nil
	}
	return old.Close()
}

// force puts what is written onto the disk.
func (l *ledger) force() error {
	if !l.unforced {
		return nil
	}
	l.unforced = false
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("syncing ledger of connections: %w", err)
	}
	return nil
}

func (l *ledger) Close() error { return l.f.Close() }
