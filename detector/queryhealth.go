package detector

import (
	"context"
	"time"

	"imwatch/detector/query"
	"imwatch/detector/rule"
)

// QueryRun is one run of the query evaluator of a rule.
type QueryRun struct {
	At    time.Time     // when it began
	Until time.Time     // up to where everything is evaluated now
	Took  time.Duration // of the wall clock
	Cost  query.Cost
	Err   error // nil: it is done
}

// count counts what a run took of the store.
func (q *queries) count(r *rule.Rule, run QueryRun) {
	m, c := q.d.metrics, run.Cost
	m.queryKeys.WithLabelValues(r.ID).Add(float64(c.Keys))
	m.queryCandidates.WithLabelValues(r.ID).Add(float64(c.Candidates))
	m.queryEvents.WithLabelValues(r.ID).Add(float64(c.Events))
	m.queryLate.WithLabelValues(r.ID).Add(float64(c.Late))
	q.d.board.queried(r.ID, run)
}

// ended notes how a rule's round has ended; one that was broken off says nothing.
func (q *queries) ended(ctx context.Context, ruleID string, err error) {
	if ctx.Err() != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil {
		delete(q.failing, ruleID)
	} else if _, already := q.failing[ruleID]; !already {
		q.failing[ruleID] = q.d.deps.Now()
	}
}

// failingLongest gives the rule whose query has been failing for longest, "" if none fails. Safe for concurrent use.
func (q *queries) failingLongest() (ruleID string, since time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	running := map[string]bool{}
	for _, r := range q.rules {
		running[r.ID] = true
	}
	for id, at := range q.failing {
		switch {
		case !running[id]:
			delete(q.failing, id)
		case ruleID == "" || at.Before(since) || at.Equal(since) && id < ruleID:
			ruleID, since = id, at
		}
	}
	return ruleID, since
}
