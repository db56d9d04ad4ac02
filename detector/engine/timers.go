package engine

// timer says that a key is to be looked at at an instant, or without a key, that states of the rule may be dropped. It
// is void when the key's own due has changed since.
type timer struct {
	due int64
	run *runner
	key *keyState
}

// timers is a heap by due. Keys do not see one another, so the order within an instant is of no matter.
type timers []timer

func (h *timers) push(t timer) {
	*h = append(*h, t)
	s, i := *h, len(*h)-1
	for i > 0 {
		parent := (i - 1) / 2
		if s[i].due >= s[parent].due {
			return
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

// pop takes out the first timer, which must exist.
func (h *timers) pop() timer {
	s := *h
	first, last := s[0], len(s)-1
	s[0] = s[last]
	s[last] = timer{}
	s = s[:last]
	*h = s
	for i := 0; ; {
		least, left := i, 2*i+1
		for c := left; c <= left+1 && c < last; c++ {
			if s[c].due < s[least].due {
				least = c
			}
		}
		if least == i {
			return first
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
