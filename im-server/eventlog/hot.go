package eventlog

import "imwatch/event"

// Apply takes a changed configuration while the log runs, except for the path, standard output and what concerns fsync,
// which stay as they were until the next start. c must be valid. Safe for concurrent use.
func (l *Log) Apply(c Config) {
	old := l.cfg.Load()
	c.Path, c.Stdout, c.Fsync, c.FsyncInterval = old.Path, old.Stdout, old.Fsync, old.FsyncInterval
	l.cfg.Store(&c)
	l.queue.resize(c.Queue)
}

// Debug says whether lines of level debug are wanted.
func (l *Log) Debug() bool { return l.cfg.Load().Level == event.LevelDebug }
