package detector

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// comparison holds the two evaluators of rules with mode both against one another. Only what began after the first
// query is compared: before that they did not see the same events. Safe for concurrent use.
type comparison struct {
	metrics *metrics
	log     logrus.FieldLogger

	mu    sync.Mutex
	rules map[string]*sides // guarded by mu
}

// reach is the span of event time that a late event can make a difference in.
type reach struct{ from, to int64 }

// maxReaches bounds what is remembered of late events; the newest are those that the next differences lie near.
const maxReaches = 1000

// sides is what the evaluators said of one rule and was not compared yet, by the document it makes.
type sides struct {
	since, done int64 // of the queries
	stream      map[string]int64
	query       map[string]int64
	late        []reach
}

func newComparison(m *metrics, log logrus.FieldLogger) *comparison {
	return &comparison{metrics: m, log: log, rules: map[string]*sides{}}
}

// reset forgets what was told, when not everything that the stream says is seen here.
func (c *comparison) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.rules)
}

// streamed takes what the stream told; rules that were never queried are passed over.
func (c *comparison) streamed(alerts []*event.Alert) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range alerts {
		if s := c.rules[a.RuleID]; s != nil {
			s.take(s.stream, a)
		}
	}
}

// queried takes what a query found, which has come up to the instant done.
func (c *comparison) queried(ruleID string, done time.Time, alerts []*event.Alert) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.rules[ruleID]
	if s == nil {
		s = &sides{since: done.UnixNano(), stream: map[string]int64{}, query: map[string]int64{}}
		c.rules[ruleID] = s
	}
	s.done = done.UnixNano()
	for _, a := range alerts {
		s.take(s.query, a)
	}
}

// late notes that the stream left out an event that the query finds.
func (c *comparison) late(r *rule.Rule, at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.rules[r.ID]
	if s == nil {
		return
	}
	if len(s.late) == maxReaches {
		s.late = append(s.late[:0], s.late[maxReaches/2:]...)
	}
	// An event moves what begins and ends while it counts, and what follows from that.
	span := window.Add(window.Span(r), 2*int64(r.For+r.Resolve.After))
	s.late = append(s.late, reach{window.Add(at, -span), window.Add(at, 2*span)})
}

func (s *sides) explained(at int64) bool {
	return slices.ContainsFunc(s.late, func(r reach) bool { return r.from <= at && at <= r.to })
}

func (s *sides) take(side map[string]int64, a *event.Alert) {
	if a.From.UnixNano() > s.since {
		side[a.DocID()] = a.Time.UnixNano()
	}
}

// judge compares what both evaluators have passed.
func (c *comparison) judge(watermark int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, s := range c.rules {
		bound := min(s.done, watermark)
		for doc, at := range s.stream {
			if _, both := s.query[doc]; both {
				delete(s.stream, doc)
				delete(s.query, doc)
			} else if at < bound {
				delete(s.stream, doc)
				c.differ(id, doc, "stream", s.explained(at))
			}
		}
		for doc, at := range s.query {
			if at < bound {
				delete(s.query, doc)
				c.differ(id, doc, "query", s.explained(at))
			}
		}
	}
}

func (c *comparison) differ(ruleID, doc, seenBy string, explained bool) {
	c.metrics.differences.WithLabelValues(ruleID, strconv.FormatBool(explained)).Inc()
	entry := c.log.WithFields(logrus.Fields{"rule": ruleID, "alert": doc, "seen_by": seenBy})
	if explained {
		entry.Info("only one evaluator saw a state change: late events explain it")
		return
	}
	entry.Error("only one evaluator saw a state change, and no late event explains it")
}
