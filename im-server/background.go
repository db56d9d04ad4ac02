package imserver

import (
	"context"
	"time"
)

// mendRetry is the time between two tries to read what was missed.
const mendRetry = time.Second

// background runs f beside everything else; Run waits for it. The context ends with the server.
func (s *Server) background(f func(context.Context)) {
	if s.life.Err() == nil {
		s.tasks.Go(func() { f(s.life) })
	}
}

// pause waits, and says whether the server still serves.
func (s *Server) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// report says the first of several failures of one kind in a row, and that they are over.
func (s *Server) report(doing string, err error) {
	s.failing.Lock()
	defer s.failing.Unlock()
	switch failed := s.failed[doing]; {
	case err != nil && !failed:
		s.failed[doing] = true
		s.deps.Log.WithError(err).Error(doing)
	case err == nil && failed:
		delete(s.failed, doing)
		s.deps.Log.Info(doing + " works again")
	}
}
