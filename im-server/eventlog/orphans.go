package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/event"
)

// orphans gives the connections of the boot before that have a start in the log and no end: those of its ledger, less
// what the log knows better. Between the ledger's last mark and the crash the log may hold ends that the ledger does
// not, and the ledger may hold starts that the log does not.
func orphans(st ledgerState, logPath string) ([]Record, error) {
	if len(st.Open) == 0 {
		return nil, nil
	}
	tail := logTail{st: st, prefix: st.Node + "-" + st.Boot + "-", written: st.Seq, ended: map[string]bool{}}
	if logPath != "" {
		if err := tail.read(logPath); err != nil {
			return nil, err
		}
	}
	var list []Record
	for id, r := range st.Open {
		if !tail.ended[id] && tail.has(r.Event) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Record) int { return strings.Compare(a.Event, b.Event) })
	return list, nil
}

// logTail is what the lines of the log since the ledger's last mark say.
type logTail struct {
	st      ledgerState
	prefix  string          // of the boot's event ids
	written uint64          // highest sequence of the boot in the log
	ended   map[string]bool // connections whose end is in the log, by whichever boot
}

// has says whether the line with the id was written: the sequence is the order of the file.
func (t *logTail) has(id string) bool {
	seq, ok := t.seq(id)
	return ok && seq <= t.written
}

func (t *logTail) seq(id string) (uint64, bool) {
	digits, ok := strings.CutPrefix(id, t.prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

// read goes through the files from the newest line back to the ledger's last mark.
func (t *logTail) read(path string) error {
	names, err := rotatedFiles(path)
	if err != nil {
		return err
	}
	names = append(names, path)
	for _, name := range slices.Backward(names) {
		done, err := linesBackward(name, t.line)
		if err != nil {
			return fmt.Errorf("reading the end of the event log: %w", err)
		}
		if done {
			return nil
		}
	}
	return nil
}

// line takes one line and says whether those before it matter no more.
func (t *logTail) line(b []byte) (done bool) {
	var ev event.Event
	if event.Decode(b, &ev) != nil {
		return false // torn, or not ours
	}
	switch ev.Action() {
	case event.ActionDisconnect.Code:
		t.ended[ev.Text(event.FieldConnID)] = true
	case event.ActionOrphaned.Code:
		t.ended[ev.Text(event.FieldConnID)] = true
		return false // its time is another boot's
	}
	seq, ours := t.seq(ev.ID())
	if !ours {
		return ev.Time().Before(t.st.Begun)
	}
	t.written = max(t.written, seq)
	return seq <= t.st.Seq
}

// linesBackward calls f for every whole line of a file, the last one first, until f is done.
func linesBackward(name string, f func(line []byte) (done bool)) (bool, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	const step = 64 << 10 // more than a line may have
	var rest []byte       // bytes before the lines seen, whose own begin is further ahead
	whole := false        // the bytes after the last line feed are no line
	for pos := info.Size(); pos > 0; {
		n := min(pos, step)
		pos -= n
		block := make([]byte, n, int(n)+len(rest))
		if _, err := file.ReadAt(block, pos); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		rest = append(block, rest...)
		for {
			i := bytes.LastIndexByte(rest, '\n')
			if i < 0 {
				break
			}
			if line := rest[i+1:]; whole && len(line) > 0 && f(line) {
				return true, nil
			}
			whole, rest = true, rest[:i]
		}
	}
	return whole && len(rest) > 0 && f(rest), nil
}

// DescribeOrphan fills the end of a connection that its node did not live to write: node and boot are who held it, end is
// when it was last known to live. Whoever writes it, it is the same document.
func DescribeOrphan(ev *event.Event, node, boot string, end time.Time, r Record) {
	if r.At > end.UnixNano() {
		end = time.Unix(0, r.At).UTC()
	}
	ev.Begin(event.ActionOrphaned, end)
	ev.SetText(event.FieldEventID, "orphaned-"+r.ID)
	ev.SetText(event.FieldConnID, r.ID)
	ev.SetText(event.FieldSessionID, r.Session)
	ev.SetText(event.FieldUserID, r.User)
	ev.SetText(event.FieldDeviceID, r.Device)
	ev.SetText(event.FieldClientIP, r.IP)
	if r.Port > 0 {
		ev.SetInt(event.FieldClientPort, int64(r.Port))
	}
	ev.SetText(event.FieldTraceID, r.Trace)
	ev.SetText(event.FieldSpanID, r.Span)
	ev.SetText(event.FieldConnNode, node)
	ev.SetText(event.FieldConnBoot, boot)
	ev.SetInt(event.FieldEventDuration, end.UnixNano()-r.At)
	ev.SetText(event.FieldCloseReason, event.CloseOrphaned.Reason)
	ev.SetText(event.FieldCloseInitiator, event.CloseOrphaned.Initiator)
	ev.SetText(event.FieldCloseRetry, event.CloseOrphaned.Retry)
	ev.SetText(event.FieldEventReason, event.CloseOrphaned.Reason)
	ev.SetInt(event.FieldCloseCode, abnormalClosure) // there was no close frame
	ev.SetBool(event.FieldCloseClean, false)
}

// abnormalClosure is the code that stands for no close frame, RFC 6455 section 7.1.5.
const abnormalClosure = 1006
