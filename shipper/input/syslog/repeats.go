package syslog

import "hash/maphash"

// repeats numbers messages that are the same, byte for byte: old forms of syslog say the second only, in which a
// program may well say the same twice. A sender that connects anew and sends again what it is not sure of begins with
// the same numbers, so that what comes twice is known to be one.
type repeats struct {
	seed        maphash.Seed
	young, aged map[uint64]int64
}

// remembered is how many different messages are remembered at least.
const remembered = 4096

func newRepeats() *repeats {
	return &repeats{seed: maphash.MakeSeed(), young: map[uint64]int64{}}
}

// number gives how often the message came before, as far as that is remembered.
func (r *repeats) number(msg string) int64 {
	h := maphash.String(r.seed, msg)
	n, ok := r.young[h]
	if !ok {
		n = r.aged[h]
	}
	if len(r.young) >= remembered {
		r.young, r.aged = make(map[uint64]int64, remembered), r.young
	}
	r.young[h] = n + 1
	return n
}
