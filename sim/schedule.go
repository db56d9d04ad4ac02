package sim

import "time"

// step is something that happens at a moment of fake time.
type step struct {
	at  int64 // UnixNano
	seq int64 // order of steps at one moment: as they were planned
	do  func()
}

func (s step) before(o step) bool { return s.at < o.at || s.at == o.at && s.seq < o.seq }

// schedule is a binary heap of steps. container/heap would allocate for each one.
type schedule struct {
	steps []step
	seq   int64
}

func (q *schedule) add(at time.Time, do func()) {
	q.seq++
	q.steps = append(q.steps, step{at.UnixNano(), q.seq, do})
	i := len(q.steps) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !q.steps[i].before(q.steps[up]) {
			break
		}
		q.steps[i], q.steps[up] = q.steps[up], q.steps[i]
		i = up
	}
}

// next takes the earliest step out; there must be one.
func (q *schedule) next() step {
	top := q.steps[0]
	last := len(q.steps) - 1
	q.steps[0] = q.steps[last]
	q.steps[last] = step{}
	q.steps = q.steps[:last]
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < last && q.steps[down].before(q.steps[least]) {
				least = down
			}
		}
		if least == i {
			return top
		}
		q.steps[i], q.steps[least] = q.steps[least], q.steps[i]
		i = least
	}
}
