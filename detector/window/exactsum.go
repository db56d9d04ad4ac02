package window

import (
	"math"
	"math/bits"
	"slices"
	"unsafe"
)

// exactSum is a sum of numbers that come and go, without any rounding until it is asked for: then it is rounded once,
// to the nearest number. So it depends on what is in it and on nothing else. A running sum of rounded numbers would
// depend on what was there before, and so on when the detector was started; adding all of a window anew in canonical
// order would not, but costs as much as the window is long at every look.
//
// The zero exactSum is 0. It takes 16 bytes while everything in it is whole and no larger than 2^40: then it counts in
// an integer, exact for more than four million of such numbers.
type exactSum struct {
	whole int64
	parts *digits // of all others; nil while there are none
}

// digits is a number as a row of 32-bit digits in the manner of Kulisch's and Neal's accumulators: digit i counts
// 2^(32·(low+i)−1074), the least of all floats being 2^−1074. Digits may be negative or exceed 32 bits between two
// carries. Only those in use are kept: some four or five, since the numbers of a window are of like size.
type digits struct {
	digit   []int64
	low     int
	n       int     // how many numbers are in
	ops     int     // since the last carry
	scratch []int64 // for value
}

// maxWhole is the largest whole number that is counted in an integer.
const maxWhole = 1 << 40

func (s *exactSum) add(x float64) { s.change(x, 1) }
func (s *exactSum) sub(x float64) { s.change(x, -1) }

func (s *exactSum) change(x float64, sign int64) {
	if x == math.Trunc(x) && math.Abs(x) <= maxWhole {
		s.whole += sign * int64(x)
		return
	}
	if s.parts == nil {
		s.parts = &digits{}
	}
	s.parts.add(x, sign)
	if s.parts.n += int(sign); s.parts.n == 0 {
		s.parts = nil
	}
}

// value gives the sum, rounded once. What no float can hold is the largest one.
func (s *exactSum) value() float64 {
	if s.parts == nil {
		return float64(s.whole)
	}
	all := digits{digit: append(s.parts.scratch[:0], s.parts.digit...), low: s.parts.low}
	if s.whole != 0 {
		const half = 1<<32 - 1
		all.add(float64(s.whole&^half), 1) // each half is a float
		all.add(float64(s.whole&half), 1)
	}
	s.parts.scratch = all.digit
	return all.round()
}

func (s *exactSum) size() int64 {
	if s.parts == nil {
		return 0
	}
	return int64(unsafe.Sizeof(*s.parts)) + 8*int64(cap(s.parts.digit)+cap(s.parts.scratch))
}

func (d *digits) add(x float64, sign int64) {
	b := math.Float64bits(x)
	if b>>63 != 0 {
		sign = -sign
	}
	mantissa, place := b&(1<<52-1), int(b>>52&0x7ff)
	if place > 0 {
		mantissa |= 1 << 52
		place--
	}
	i, shift := d.room(place>>5), uint(place&31) //nolint:gosec // below 32
	low, high := mantissa<<shift, mantissa>>(64-shift)
	d.digit[i] += sign * int64(low&(1<<32-1))
	d.digit[i+1] += sign * int64(low>>32) //nolint:gosec // 32 bits
	d.digit[i+2] += sign * int64(high)    //nolint:gosec // 21 bits
	if d.ops++; d.ops == 1<<29 {
		d.carry()
	}
}

// room sees to it that three digits from the given one on are there, and gives the place of the first.
func (d *digits) room(from int) int {
	switch {
	case len(d.digit) == 0:
		d.low = from
	case from < d.low:
		d.digit = slices.Insert(d.digit, 0, make([]int64, d.low-from)...)
		d.low = from
	}
	for d.low+len(d.digit) < from+3 {
		d.digit = append(d.digit, 0)
	}
	return from - d.low
}

// carry brings all digits but the highest to 0 … 2^32−1.
func (d *digits) carry() {
	d.ops = 0
	last := len(d.digit) - 1
	for i := range last {
		d.digit[i+1] += d.digit[i] >> 32
		d.digit[i] &= 1<<32 - 1
	}
	if top := d.digit[last]; top != int64(int32(top)) { //nolint:gosec // to see whether it fits
		d.digit[last] &= 1<<32 - 1
		d.digit = append(d.digit, top>>32)
	}
}

// round gives the nearest float, the even one of two. It destroys the digits.
func (d *digits) round() float64 {
	sign := 1.0
	if d.carry(); d.digit[len(d.digit)-1] < 0 {
		sign = -1
		for i := range d.digit {
			d.digit[i] = -d.digit[i]
		}
		d.carry()
	}
	top := len(d.digit) - 1
	for top >= 0 && d.digit[top] == 0 {
		top--
	}
	if top < 0 {
		return 0
	}
	// The 64 bits from the highest one on; the lowest of them also stands for all below.
	zeros := bits.LeadingZeros32(uint32(d.digit[top]))                                   //nolint:gosec // 32 bits after the carry
	m := uint64(d.digit[top])<<(32+zeros) | d.at(top-1)<<zeros | d.at(top-2)>>(32-zeros) //nolint:gosec // not negative
	below := d.at(top-2)&(1<<(32-zeros)-1) != 0
	for i := 0; i < top-2 && !below; i++ {
		below = d.digit[i] != 0
	}
	if below {
		m |= 1
	}
	v := math.Ldexp(float64(m), 32*(d.low+top)-zeros-32-1074)
	return sign * min(v, math.MaxFloat64)
}

func (d *digits) at(i int) uint64 {
	if i < 0 {
		return 0
	}
	return uint64(d.digit[i]) //nolint:gosec // not negative after the carry
}
