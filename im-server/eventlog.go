package imserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
)

// eventLog takes events off their queue and writes them: through logrus and our formatter into a buffer, whole lines
// of it with one write into the file and, if asked, to standard output. Its run goroutine owns file and ledger.
//
// Order is what a crash is survived by: a connection is in the ledger before its connect line is in the log, and its
// end is in the log before it is in the ledger.
type eventLog struct {
	queue  *eventQueue
	file   *logFile  // nil: none
	stdout io.Writer // nil: none
	ledger *ledger   // nil: none
	now    func() time.Time
	diag   logrus.FieldLogger
	lines  interface{ Add(float64) }
	reopen chan struct{} // asks for a new open of the file

	logger  *logrus.Logger
	entry   logrus.Entry
	buf     []byte          // lines of this batch, formatted
	closes  []string        // connections whose end is in buf
	lost    uint64          // lines given up at the end
	failing map[string]bool // what failed the last time
}

const (
	batchBytes = 64 << 10        // lines that one write takes
	aliveEvery = time.Second     // between two marks in the ledger
	retryAfter = time.Second     // between two tries of a failed write
	giveUp     = 5 * time.Second // for a write that still fails when the server has stopped
)

func (l *eventLog) init() {
	l.reopen, l.failing = make(chan struct{}, 1), map[string]bool{}
	l.logger = &logrus.Logger{Out: (*lineBuffer)(l), Formatter: new(eventFormatter), Hooks: logrus.LevelHooks{}, Level: logrus.TraceLevel, ExitFunc: func(int) {}}
	l.entry = logrus.Entry{Logger: l.logger, Data: logrus.Fields{}}
}

// lineBuffer is the Out of the event log's logger.
type lineBuffer eventLog

func (b *lineBuffer) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	return len(p), nil
}

// run writes what is queued until stop is closed, and then what is left.
func (l *eventLog) run(stop <-chan struct{}) {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	var spare []queued
	for {
		ticked, stopped := false, false
		select {
		case <-l.queue.wake:
		case <-tick.C:
			ticked = true
		case <-l.reopen:
			l.reopenFile()
		case <-stop:
			stopped = true
		}
		items, seq := l.queue.take(spare)
		l.write(items, stop)
		spare = items
		if ticked || stopped {
			l.mark(seq)
			l.watchFile()
		}
		if stopped {
			return
		}
	}
}

// write formats and writes items in batches of whole lines.
func (l *eventLog) write(items []queued, stop <-chan struct{}) {
	for i := range items {
		it := &items[i]
		if it.open != nil && l.ledger != nil {
			it.open.Event = it.ev.ID()
			l.report("writing the ledger", l.ledger.opened(*it.open))
		}
		if it.close != "" {
			l.closes = append(l.closes, it.close)
		}
		l.format(it.ev)
		l.queue.recycle(it.ev)
		if len(l.buf) >= batchBytes {
			l.flush(stop)
		}
	}
	l.flush(stop)
	clear(items)
}

func (l *eventLog) format(ev *event.Event) {
	l.entry.Data[entryKey] = ev
	l.entry.Time = ev.Time()
	l.entry.Log(logrusLevel(ev.Text(event.FieldLogLevel)), ev.Text(event.FieldMessage))
	l.lines.Add(1)
}

// flush writes opened connections to the ledger, then the lines, then ended connections to the ledger.
func (l *eventLog) flush(stop <-chan struct{}) {
	if len(l.buf) == 0 {
		return
	}
	l.flushLedger()
	if l.stdout != nil {
		_, err := l.stdout.Write(l.buf)
		l.report("writing events to standard output", err)
	}
	if l.file != nil {
		l.writeFile(stop)
	}
	l.buf = l.buf[:0]
	if l.ledger != nil {
		for _, id := range l.closes {
			l.ledger.closed(id)
		}
		l.flushLedger()
	}
	clear(l.closes)
	l.closes = l.closes[:0]
}

func (l *eventLog) flushLedger() {
	if l.ledger != nil {
		l.report("writing the ledger", l.ledger.flush())
	}
}

// writeFile writes buf and tries again until it is in the file: the queue holds what comes meanwhile. Only after stop
// does it give up, for a server must be able to end on a full disk.
func (l *eventLog) writeFile(stop <-chan struct{}) {
	l.report("rotating the event log", l.file.rotateIfDue(int64(len(l.buf))))
	var deadline <-chan time.Time
	for rest := l.buf; len(rest) > 0; {
		n, err := l.file.Write(rest)
		rest = rest[n:]
		l.report("writing the event log", err)
		if err == nil {
			continue
		}
		again := time.NewTimer(retryAfter)
		select {
		case <-stop:
			stop, deadline = nil, time.After(giveUp)
		case <-deadline:
			l.lost += uint64(bytes.Count(rest, []byte("\n")))
			return
		case <-again.C:
		}
		again.Stop()
	}
}

// mark tells the ledger that the node lives and the log is written up to seq.
func (l *eventLog) mark(seq uint64) {
	if l.ledger != nil {
		l.report("writing the ledger", l.ledger.alive(l.now(), seq))
	}
}

// watchFile rotates by age, and opens the path anew when somebody else has moved the file away.
func (l *eventLog) watchFile() {
	switch {
	case l.file == nil:
	case l.file.moved():
		l.reopenFile()
	default:
		l.report("rotating the event log", l.file.rotateIfDue(0))
	}
}

func (l *eventLog) reopenFile() {
	if l.file != nil {
		l.report("opening the event log", l.file.reopen())
	}
}

// report says the first of several failures in a row, and that they are over.
func (l *eventLog) report(doing string, err error) {
	switch {
	case err != nil && !l.failing[doing]:
		l.diag.WithError(err).Error(doing)
	case err == nil && l.failing[doing]:
		l.diag.Info(doing + " works again")
	}
	l.failing[doing] = err != nil
}

// Close closes file and ledger, after run has returned.
func (l *eventLog) Close() error {
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.Close())
	}
	if l.ledger != nil {
		errs = append(errs, l.ledger.Close())
	}
	if l.lost > 0 {
		errs = append(errs, fmt.Errorf("writing event log: %d lines are lost", l.lost))
	}
	return errors.Join(errs...)
}

func unixNano(n int64) time.Time { return time.Unix(0, n).UTC() }
