package window

import (
	"math"
	"math/bits"
	"unsafe"
)

// sketch estimates how many distinct values lie in a sliding window: a HyperLogLog (Flajolet et al. 2007) whose registers
// keep the possible future maxima (Chabchoub, Hébrail 2010), so that what has left the window is out of the estimate,
// with the estimator of Ertl (2017), which has no bias at any number and needs no table. Its standard error is
// 1.04 ÷ √2^14 = 0.81 %. What it says depends on what is in the window only.
type sketch struct {
	registers [registers][]peak // instants rise, ranks fall: the first is the register's value now
	least     [groups]int64     // no first peak of the group is older
	counts    [ranks + 1]int32  // registers by value
}

// peak is the rank of a value seen at an instant: how many zeros its hash begins with, and one.
type peak struct {
	at   int64
	rank uint8
}

const (
	precision = 14
	registers = 1 << precision
	groups    = 128 // of registers: a look need not go through all of them
	members   = registers / groups
	ranks     = 64 - precision + 1
)

func newSketch() *sketch {
	s := &sketch{}
	for g := range s.least {
		s.least[g] = Never
	}
	s.counts[0] = registers
	return s
}

// see takes a value in. Instants must not fall.
func (s *sketch) see(v sighting) {
	n := v.hash >> (64 - precision)
	rank := uint8(min(bits.LeadingZeros64(v.hash<<precision)+1, ranks)) //nolint:gosec // at most 51
	old := s.registers[n]
	peaks := old
	for len(peaks) > 0 && peaks[len(peaks)-1].rank <= rank {
		peaks = peaks[:len(peaks)-1]
	}
	if len(peaks) == 0 { // it is the first from now on
		if len(old) > 0 {
			s.counts[old[0].rank]--
		} else {
			s.counts[0]--
			s.least[n/members] = min(s.least[n/members], v.at)
		}
		s.counts[rank]++
	}
	s.registers[n] = append(peaks, peak{v.at, rank})
}

// leave drops what was seen at or before bound.
func (s *sketch) leave(bound int64) {
	for g := range s.least {
		if s.least[g] > bound {
			continue
		}
		s.least[g] = Never
		for n := g * members; n < (g+1)*members; n++ {
			if s.drop(n, bound); len(s.registers[n]) > 0 {
				s.least[g] = min(s.least[g], s.registers[n][0].at)
			}
		}
	}
}

func (s *sketch) drop(n int, bound int64) {
	peaks := s.registers[n]
	i := 0
	for i < len(peaks) && peaks[i].at <= bound {
		i++
	}
	if i == 0 {
		return
	}
	s.counts[peaks[0].rank]--
	if i == len(peaks) {
		s.registers[n] = nil
		s.counts[0]++
		return
	}
	s.counts[peaks[i].rank]++
	s.registers[n] = peaks[:copy(peaks, peaks[i:])]
}

// oldest gives an instant before which nothing in it was seen.
func (s *sketch) oldest() int64 {
	at := Never
	for _, l := range s.least {
		at = min(at, l)
	}
	return at
}

func (s *sketch) estimate() float64 { return estimate(&s.counts) }

// estimate is Ertl's improved raw estimate (New cardinality estimation algorithms for HyperLogLog sketches, algorithm 6).
// The conversions keep compilers from fusing operations: the same bits on every machine.
func estimate(counts *[ranks + 1]int32) float64 {
	const m = float64(registers)
	z := m * tau(1-float64(counts[ranks])/m)
	for k := ranks - 1; k >= 1; k-- {
		z = 0.5 * (z + float64(counts[k]))
	}
	z += float64(m * sigma(float64(counts[0])/m))
	return m * m / (2 * math.Ln2 * z)
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for before := -1.0; z != before; {
		before = z
		x *= x
		z += float64(x * y)
		y += y
	}
	return z
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for before := -1.0; z != before; {
		before = z
		x = math.Sqrt(x)
		y *= 0.5
		z -= float64(float64((1-x)*(1-x)) * y)
	}
	return z / 3
}

func (s *sketch) encode(e *Encoder) {
	for n := range s.registers {
		e.Len(len(s.registers[n]))
		last := int64(0)
		for _, p := range s.registers[n] {
			e.Int(p.at - last)
			e.Uint(uint64(p.rank))
			last = p.at
		}
	}
}

func decodeSketch(d *Decoder) *sketch {
	s := newSketch()
	for n := range s.registers {
		last := int64(0)
		for range d.Len(2) {
			last += d.Int()
			rank := d.Uint()
			if d.Err() != nil || rank == 0 || rank > ranks {
				d.Fail()
				return s
			}
			s.registers[n] = append(s.registers[n], peak{last, uint8(rank)})
		}
		if peaks := s.registers[n]; len(peaks) > 0 {
			s.counts[0]--
			s.counts[peaks[0].rank]++
			s.least[n/members] = min(s.least[n/members], peaks[0].at)
		}
	}
	return s
}

func (s *sketch) size() int64 {
	n := int64(unsafe.Sizeof(*s))
	for _, peaks := range s.registers {
		n += int64(cap(peaks)) * int64(unsafe.Sizeof(peak{}))
	}
	return n
}
