package imserver

import (
	"strconv"
	"time"

	"imwatch/event"
)

const (
	statsEvery = 10 * time.Second
	sweepEvery = time.Minute
)

// keepHouse does what is due now and then, until stop is closed.
func (s *Server) keepHouse(stop <-chan struct{}) {
	second, stats, sweep := time.NewTicker(time.Second), time.NewTicker(statsEvery), time.NewTicker(sweepEvery)
	config := time.NewTicker(watchConfigEvery)
	defer config.Stop()
	defer second.Stop()
	defer stats.Stop()
	defer sweep.Stop()
	sockets := time.NewTicker(socketsEvery)
	defer sockets.Stop()
	var certificate certReminder
	s.remindOfCertificate(&certificate)
	for {
		select {
		case <-second.C:
			s.folder.flush(s.now(), false)
			s.shed()
			s.endRevoked()
		case <-stats.C:
			s.watch.look()
			s.logStats()
		case <-sockets.C:
			s.watch.countSocketsAtEase()
		case <-sweep.C:
			s.limiter.sweep(s.now())
			s.userLimiter.sweep(s.now())
			s.passed.sweep(s.now())
			s.remindOfCertificate(&certificate)
		case <-s.deps.Reopen:
			s.ReopenLog()
			s.reloadConfig()
			s.watchCertificates(true)
		case <-config.C:
			s.watchConfig()
			s.watchCertificates(false)
		case <-stop:
			return
		}
	}
}

// logStats writes the node's gauges, what the log had to drop since the time before, and how far a drain is.
func (s *Server) logStats() {
	ev := s.nodeEvent(event.ActionConnectionStats)
	ev.SetInt(event.FieldServerConnections, int64(s.hub.count()))
	ev.SetInt(event.FieldServerHandshakes, s.pending.Load())
	ev.SetInt(event.FieldServerMessagesIn, s.counts.in.Swap(0))
	ev.SetInt(event.FieldServerMessagesOut, s.counts.out.Swap(0))
	dropped := s.log.Dropped()
	if lost := dropped - s.watch.dropped; lost > 0 {
		ev.SetLabel("log_dropped", strconv.FormatUint(lost, 10))
		s.deps.Log.WithField("events", lost).Error("the event log could not keep up; events were dropped")
	}
	s.watch.dropped = dropped
	if s.drainage.begun.Load() {
		ev.SetLabel("drain_left", strconv.Itoa(s.drainLeft()))
		ev.SetLabel("drain_total", strconv.FormatInt(s.drainage.total.Load(), 10))
	}
	s.emit(ev)
}

// ReopenLog closes the event log and opens its path again: what to do after the file was moved away. It returns at once.
func (s *Server) ReopenLog() { s.log.Reopen() }
