package imserver

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"imwatch/event"
)

// openLog opens the log, and keeps other servers from it.
func (s *Server) openLog() error {
	s.log = &eventLog{queue: s.events, now: s.now, diag: s.deps.Log, lines: s.metrics.lines}
	s.log.init()
	if s.cfg.Log.Stdout {
		s.log.stdout = s.deps.Stdout
	}
	path := s.cfg.Log.Path
	if path == "" {
		return nil
	}
	lock, err := lockFile(besideLog(path, ".lock"))
	if err != nil {
		return fmt.Errorf("log.path: %w", err)
	}
	s.lock = lock
	file, err := openLogFile(path, s.cfg.Log, s.now)
	if err != nil {
		return fmt.Errorf("log.path: %w", err)
	}
	s.log.file = file
	return nil
}

// settleOrphans writes the ends that the boot before owes, and then begins this boot's ledger in place of the old one: a
// crash between the two does it again, and finds the ends in the log. It runs before the log's goroutine does.
func (s *Server) settleOrphans(ctx context.Context) error {
	if s.log.file == nil {
		return nil
	}
	path := besideLog(s.cfg.Log.Path, ".conns")
	st, err := readLedger(path)
	if err != nil {
		return err
	}
	if st.Bad > 0 {
		s.deps.Log.WithField("lines", st.Bad).Error("the ledger of connections has lines that cannot be read; the ends of their connections may be missing")
	}
	list, err := orphans(st, s.cfg.Log.Path)
	if err != nil {
		return err
	}
	items := make([]queued, 0, len(list))
	for _, r := range list {
		ev := new(event.Event)
		orphaned(ev, st, r)
		s.describe(ev, event.ActionOrphaned, ev.Time())
		items = append(items, queued{ev: ev})
	}
	s.log.write(items, ctx.Done())
	if s.log.lost > 0 {
		return errors.New("writing the ends of lost connections failed; the next start tries again")
	}
	if len(list) > 0 {
		s.deps.Log.WithField("connections", len(list)).Warn("ended the connections that were lost with the process before")
	}
	s.log.ledger, err = newLedger(path, s.node, s.boot, s.now())
	return err
}

// besideLog names a file that belongs to the log, so that a pattern for the log and its renamed files does not match.
func besideLog(path, ext string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ext
}
