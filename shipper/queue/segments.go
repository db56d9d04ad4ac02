package queue

// Segments is how many files the queue has on disk, what was done of them included.
func (q *Queue) Segments() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.segments)
}
