package client

// seenMost is how many of the last messages are known again.
const seenMost = 1 << 14

type seenKey struct{ from, id string }

// seen knows the last messages by sender and id: after a resume, and when an acknowledgement was lost, the server gives
// some again. The zero seen has seen nothing. Not safe for concurrent use.
type seen struct {
	at    map[seenKey]struct{}
	order []seenKey // a ring
	next  int
}

// again notes a message, and says whether it was noted before. One without an id is always new.
func (s *seen) again(from, id string) bool {
	if id == "" {
		return false
	}
	k := seenKey{from, id}
	if _, ok := s.at[k]; ok {
		return true
	}
	if s.at == nil {
		s.at = map[seenKey]struct{}{}
	}
	s.at[k] = struct{}{}
	if len(s.order) < seenMost {
		s.order = append(s.order, k)
		return false
	}
	delete(s.at, s.order[s.next])
	s.order[s.next] = k
	s.next = (s.next + 1) % seenMost
	return false
}
