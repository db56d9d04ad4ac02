package eventlog

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
)

// writer writes events: through logrus and our formatter into a buffer, whole lines of it with one write into the file
// and, if asked, to standard output. Log.Run's goroutine owns it.
//
// Order is what a crash is survived by: a connection is in the ledger before its connect line is in the log, and its
// end is in the log before it is in the ledger.
type writer struct {
	file   *file     // nil: none
	stdout io.Writer // nil: none
	ledger *ledger   // nil: none

	logger   *logrus.Logger
	entry    logrus.Entry
	carrier  carrier
	buf      []byte          // lines of this batch, formatted
	closes   []string        // connections whose end is in buf
	opens    []*Record       // and whose start is
	unforced bool            // something was written that may not be on the disk
	force    *time.Timer     // until fsync, with FsyncInterval; stopped while there is nothing to force
	lost     uint64          // lines given up at the end
	failing  map[string]bool // what failed the last time
}

const (
	batchBytes = 64 << 10        // lines that one write takes
	aliveEvery = time.Second     // between two marks in the ledger
	retryAfter = time.Second     // between two tries of a failed write
	giveUp     = 5 * time.Second // for a write that still fails when the server has stopped
)

func (w *writer) initWriter() {
	w.failing = map[string]bool{}
	w.logger = &logrus.Logger{Out: (*lineBuffer)(w), Formatter: new(formatter), Hooks: logrus.LevelHooks{}, Level: logrus.TraceLevel, ExitFunc: func(int) {}}
	w.entry = logrus.Entry{Logger: w.logger, Context: &w.carrier}
	w.force = time.NewTimer(time.Hour)
	w.force.Stop()
}

// lineBuffer is the Out of the event log's logger.
type lineBuffer writer

func (b *lineBuffer) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	return len(p), nil
}

// Run writes what is queued until stop is closed, and then what is left.
func (l *Log) Run(stop <-chan struct{}) {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	var spare []queued
	for {
		ticked, stopped := false, false
		select {
		case <-l.queue.wake:
		case <-tick.C:
			ticked = true
		case <-l.leased:
			ticked = true
		case <-l.reopen:
			l.reopenFile()
		case <-l.force.C:
			l.forceFile()
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
			if l.cfg.Load().Fsync != FsyncNone {
				l.forceFile()
			}
			return
		}
	}
}

// write formats and writes items in batches of whole lines.
func (l *Log) write(items []queued, stop <-chan struct{}) {
	for i := range items {
		it := &items[i]
		if it.open != nil {
			it.open.Event = it.ev.ID()
			l.opens = append(l.opens, it.open)
			if l.ledger != nil {
				l.report("writing the ledger", l.ledger.opened(*it.open))
			}
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

func (l *Log) format(ev *event.Event) {
	l.carrier.ev = ev
	l.entry.Time = ev.Time()
	l.entry.Log(logrusLevel(ev.Text(event.FieldLogLevel)), ev.Text(event.FieldMessage))
	l.metrics.lines.Inc()
}

// flush writes opened connections to the ledger, then the lines, then ended connections to the ledger.
func (l *Log) flush(stop <-chan struct{}) {
	if len(l.buf) == 0 {
		return
	}
	l.flushLedger()
	always := l.cfg.Load().Fsync == FsyncAlways
	if always && l.ledger != nil {
		l.report("syncing the ledger", l.ledger.force()) // a start on the disk must be known to the ledger there
	}
	if l.stdout != nil {
		_, err := l.stdout.Write(l.buf)
		l.report("writing events to standard output", err)
	}
	if l.file != nil {
		l.writeFile(stop)
		l.wrote(always)
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
	l.tellBegun()
}

// tellBegun tells of the connections whose start is written.
func (l *Log) tellBegun() {
	for _, r := range l.opens {
		if l.deps.Began != nil {
			l.deps.Began(*r)
		}
	}
	clear(l.opens)
	l.opens = l.opens[:0]
}

func (l *Log) flushLedger() {
	if l.ledger != nil {
		l.report("writing the ledger", l.ledger.flush())
	}
}

// mark tells the ledger that the node lives and the log is written up to seq.
func (l *Log) mark(seq uint64) {
	if l.ledger != nil {
		l.notePaid()
		l.report("writing the ledger", l.ledger.alive(l.deps.Now(), seq, l.lease.Load()))
	}
}

// report says the first of several failures in a row, and that they are over.
func (l *Log) report(doing string, err error) {
	switch {
	case err != nil && !l.failing[doing]:
		l.deps.Diag.WithError(err).Error(doing)
	case err == nil && l.failing[doing]:
		l.deps.Diag.Info(doing + " works again")
	}
	l.failing[doing] = err != nil
}

// closeWriter closes file and ledger.
func (w *writer) closeWriter() error {
	var errs []error
	if w.file != nil {
		errs = append(errs, w.file.Close())
	}
	if w.ledger != nil {
		errs = append(errs, w.ledger.Close())
	}
	if w.lost > 0 {
		errs = append(errs, fmt.Errorf("writing event log: %d lines are lost", w.lost))
	}
	return errors.Join(errs...)
}
