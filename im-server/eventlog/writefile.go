package eventlog

import (
	"bytes"
	"path/filepath"
	"time"

	"imwatch/internal/disk"
)

// writeFile writes buf and tries again until it is in the file: the queue holds what comes meanwhile. Only after stop
// does it give up, for a server must be able to end on a full disk.
func (l *Log) writeFile(stop <-chan struct{}) {
	if l.file.due(int64(len(l.buf))) {
		l.rotateFile()
	}
	var deadline <-chan time.Time
	for done := 0; ; {
		began := time.Now()
		n, err := l.file.Write(l.buf[done:])
		done += n
		l.report("writing the event log", err)
		l.metrics.failing.Store(err != nil)
		if err == nil {
			l.metrics.write.Observe(time.Since(began).Seconds())
			return
		}
		again := time.NewTimer(retryAfter)
		select {
		case <-stop:
			stop, deadline = nil, time.After(giveUp)
		case <-deadline:
			l.lost += uint64(bytes.Count(l.buf[done:], []byte("\n")))
			return
		case <-l.reopen:
			done = l.elsewhere(done)
		case <-again.C:
			if l.file.moved() {
				done = l.elsewhere(done)
			}
		}
		again.Stop()
	}
}

// elsewhere goes on in the file that lies at the path now, from the begin of the line that the one before has a part of.
func (l *Log) elsewhere(done int) int {
	l.reopenFile()
	return bytes.LastIndexByte(l.buf[:done], '\n') + 1
}

// wrote sees to it that what was written comes onto the disk, as the policy wants it.
func (l *Log) wrote(now bool) {
	if now {
		l.unforced = true
		l.forceFile()
		return
	}
	if c := l.cfg.Load(); c.Fsync == FsyncInterval && !l.unforced {
		l.force.Reset(c.FsyncInterval)
	}
	l.unforced = true
}

// forceFile puts ledger and log onto the disk.
func (l *Log) forceFile() {
	if l.file == nil || !l.unforced {
		return
	}
	l.unforced = false
	if l.ledger != nil {
		l.report("syncing the ledger", l.ledger.force())
	}
	began := time.Now()
	l.report("syncing the event log", l.file.force())
	l.metrics.sync.Observe(time.Since(began).Seconds())
}

// watchFile rotates by age, and opens the path anew when somebody else has moved the file away.
func (l *Log) watchFile() {
	switch {
	case l.file == nil:
	case l.file.moved():
		l.reopenFile()
	case l.file.due(0):
		l.rotateFile()
	}
}

// rotateFile begins a new file. What the old one has is on the disk before, if that is wanted at all.
func (l *Log) rotateFile() {
	durable := l.cfg.Load().Fsync != FsyncNone
	if durable {
		l.forceFile()
	}
	err := l.file.rotate()
	if err == nil && durable {
		err = disk.SyncDir(filepath.Dir(l.file.path))
	}
	l.report("rotating the event log", err)
}

func (l *Log) reopenFile() {
	if l.file == nil {
		return
	}
	if l.cfg.Load().Fsync != FsyncNone {
		l.forceFile()
	}
	l.report("opening the event log", l.file.reopen())
}
