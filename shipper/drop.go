package shipper

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/shipper/queue"
)

// losses are lines that were dropped and not told yet, by level.
type losses struct {
	lines map[string]int
	told  time.Time
}

// tellLossesEvery is how often the log says how many lines were dropped.
const tellLossesEvery = time.Minute

// levels are those that are counted by name.
func levels() []string {
	return []string{event.LevelTrace, event.LevelDebug, event.LevelInfo, event.LevelWarn, event.LevelError, event.LevelFatal}
}

// levelOther stands for levels that the contract does not have.
const levelOther = "other"

// overflows says whether the queue refuses an entry for want of room, its own or the disk's.
func overflows(err error) bool {
	return errors.Is(err, queue.ErrFull) || errors.Is(err, syscall.ENOSPC)
}

// dropOldest makes room by taking the lines out of the oldest segment that is not on its way, where the user wants
// that, and says whether there is more room now. Positions stay in their entries, so what was dropped is not read again.
func (s *sender) dropOldest(err error) bool {
	if s.cfg.Queue.Full != FullOldest || !overflows(err) {
		return false
	}
	lost := map[string]int{}
	freed, err := s.queue.Thin(func(e queue.Entry) ([]byte, error) {
		c, pieces, err := decodeEntry(e.Payload)
		if err == nil {
			err = s.countLines(pieces, lost)
		}
		if err != nil {
			return nil, err
		}
		rest := c.without()
		b, err := rest.encode()
		return append([]byte{changeMark}, b...), err
	})
	if err != nil {
		s.metrics.queueErrors.Inc()
		s.trouble(err, "the oldest lines in the full queue could not be dropped; the newest are")
		return false
	}
	s.lose(lost)
	return freed > 0
}

// dropNewest drops the lines of the entry that has no room, where the user wants lines dropped, and says whether it
// did: with drop_oldest too, where all that waits is on its way. The positions move with the next entry that has room.
func (s *sender) dropNewest(err error) bool {
	if s.cfg.Queue.Full == FullBlock || !overflows(err) {
		return false
	}
	lost := map[string]int{}
	pieces, _, err := decodePieces(s.stuck.payload)
	if err == nil {
		err = s.countLines(pieces, lost)
	}
	if err != nil {
		s.trouble(err, "lines that are to be dropped cannot be read")
		return false
	}
	s.lose(lost)
	for _, slip := range s.stuck.change.begun {
		slip.void = true
	}
	rider := s.stuck.change.without()
	s.rider = &rider
	s.recycle(s.stuck.payload)
	s.stuck = nil
	return true
}

// without is the change when its lines are dropped: nobody is told that they are safe.
func (c *change) without() change {
	out := *c
	out.dead, out.bytes, out.done, out.begun = nil, 0, nil, nil
	return out
}

// countLines counts the lines in the pieces by level.
func (s *sender) countLines(pieces []piece, by map[string]int) error {
	var e event.Event
	for _, p := range pieces {
		if p.topic == bus.TopicDeadLetter {
			by[resultDeadLetter] += p.count
			continue
		}
		ms, err := s.bus.Unseal(p.sealed)
		if err != nil {
			return fmt.Errorf("counting what is dropped: %w", err)
		}
		for i := range ms {
			if err := event.Decode(ms[i].Value, &e); err != nil {
				return fmt.Errorf("counting what is dropped: %w", err)
			}
			level := e.Text(event.FieldLogLevel)
			if !slices.Contains(levels(), level) {
				level = levelOther
			}
			by[level]++
		}
	}
	return nil
}

// lose takes note of dropped lines.
func (s *sender) lose(lines map[string]int) {
	if s.losses.lines == nil {
		s.losses.lines = map[string]int{}
	}
	for level, n := range lines {
		s.losses.lines[level] += n
		s.metrics.dropped.WithLabelValues(level).Add(float64(n))
	}
}

// tellLosses says in the log what was dropped since it was said last: at once at first, then once a minute and at the end.
func (s *sender) tellLosses(end bool) {
	now := s.now()
	if len(s.losses.lines) == 0 || !end && !s.losses.told.IsZero() && now.Sub(s.losses.told) < tellLossesEvery {
		return
	}
	fields := logrus.Fields{"full": s.cfg.Queue.Full}
	for level, n := range s.losses.lines {
		fields[level] = n
	}
	s.log.WithFields(fields).Error("the queue on disk is full, and lines were dropped as queue.full says, so many by level")
	clear(s.losses.lines)
	s.losses.told = now
}
