package lag

import "time"

// Meter measures how fast a count grows, over about the last half minute. The zero value is ready.
type Meter struct {
	points []point // rising
}

type point struct {
	at    time.Time
	count int64
}

const (
	// window is what the rate is taken over: long enough for pauses between batches, short enough to notice a stop.
	window = 30 * time.Second
	// step is the least distance of two points.
	step = time.Second
)

// Note takes in the count at a time. A count that went back begins anew.
func (m *Meter) Note(count int64, now time.Time) {
	n := len(m.points)
	if n > 0 && (count < m.points[n-1].count || now.Before(m.points[n-1].at)) {
		m.points, n = m.points[:0], 0
	}
	if n > 1 && now.Sub(m.points[n-2].at) < step {
		m.points[n-1] = point{now, count}
	} else {
		m.points = append(m.points, point{now, count})
	}
	old := 0
	for old+1 < len(m.points) && now.Sub(m.points[old+1].at) >= window {
		old++
	}
	m.points = append(m.points[:0], m.points[old:]...)
}

// Rate is how many a second it was; 0 while too little is known. A count that was noted no more has stopped growing.
func (m *Meter) Rate(now time.Time) float64 {
	n := len(m.points)
	if n < 2 {
		return 0
	}
	took := max(now.Sub(m.points[0].at), m.points[n-1].at.Sub(m.points[0].at))
	if took <= 0 {
		return 0
	}
	return float64(m.points[n-1].count-m.points[0].count) / took.Seconds()
}

// ETA is how long left takes at a rate at which it becomes less; ok is false where it does not, or takes longer than a
// year.
func ETA(left int64, shrinking float64) (eta time.Duration, ok bool) {
	const year = 365 * 24 * 3600
	if left <= 0 {
		return 0, true
	}
	if shrinking <= 0 || float64(left)/shrinking > year {
		return 0, false
	}
	return time.Duration(float64(left) / shrinking * float64(time.Second)), true
}
