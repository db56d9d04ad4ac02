package window

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// ranked is a set of values with weights in order of size. To put one in, to take one out and to find a percentile take
// time like the square root of their number: the values stand in sorted blocks, and each block knows its weight. The
// blocks depend on what came and went, the answers on what is there.
type ranked struct {
	blocks []*block
	total  amount
}

type block struct {
	values  []float64
	weights []float64 // beside values; nil while all are 1
	sum     amount
}

// A block is split when it is full, and joined to the next when both together are half full.
const blockSize = 512

// amount is a sum of weights in units of 2^−64, so that sums are exact and comparisons too. A weight finer than that is
// cut; one below zero counts as none, one above 2^40 as that.
type amount struct{ high, low uint64 }

func amountOf(weight float64) amount {
	switch {
	case weight == 1: // nearly all
		return amount{high: 1}
	case !(weight > 0):
		return amount{}
	case weight >= maxWhole:
		return amount{high: maxWhole}
	}
	whole, part := math.Modf(weight)
	return amount{uint64(whole), uint64(math.Ldexp(part, 64))} // part < 1: it fits
}

func (a amount) plus(b amount) amount {
	low, carry := bits.Add64(a.low, b.low, 0)
	high, _ := bits.Add64(a.high, b.high, carry)
	return amount{high, low}
}

func (a amount) minus(b amount) amount {
	low, borrow := bits.Sub64(a.low, b.low, 0)
	high, _ := bits.Sub64(a.high, b.high, borrow)
	return amount{high, low}
}

func (a amount) less(b amount) bool { return a.high < b.high || a.high == b.high && a.low < b.low }

func (a amount) zero() bool { return a == amount{} }

// fraction is num ÷ den, with num < den.
type fraction struct{ num, den uint64 }

// percent makes a fraction of a percentile as it is written: of 99.9 it is 999 ÷ 1000, which no float is.
func percent(p float64) fraction {
	text := strings.TrimRight(strconv.FormatFloat(p, 'f', 15, 64), "0")
	if short := strconv.FormatFloat(p, 'f', -1, 64); len(short) < len(text) {
		text = short
	}
	whole, part, _ := strings.Cut(text, ".")
	num, _ := strconv.ParseUint(whole+part, 10, 64)
	den := uint64(100)
	for range part {
		den *= 10 // at most 10^17
	}
	return fraction{num, den}
}

// of gives the least amount that reaches the fraction of a: rounded up, by long multiplication and division.
func (f fraction) of(a amount) amount {
	carry, low := bits.Mul64(a.low, f.num)
	top, middle := bits.Mul64(a.high, f.num)
	middle, more := bits.Add64(middle, carry, 0)
	high, rest := bits.Div64(top+more, middle, f.den) // top+more < den, since num < den
	low, rest = bits.Div64(rest, low, f.den)
	if rest > 0 {
		return amount{high, low}.plus(amount{low: 1})
	}
	return amount{high, low}
}

// percentile gives the least value at which the cumulative weight reaches the fraction f of all; ok is false where
// there is no weight.
func (s *ranked) percentile(f fraction) (v float64, ok bool) {
	if s.total.zero() {
		return 0, false
	}
	need, sum := f.of(s.total), amount{}
	for _, b := range s.blocks {
		if next := sum.plus(b.sum); next.less(need) {
			sum = next
			continue
		}
		return b.find(sum, need), true
	}
	return 0, false // not reached: need is at most the total
}

// find gives the value at which sum reaches need, which it does in this block.
func (b *block) find(sum, need amount) float64 {
	if b.weights == nil { // need − sum of them, a part of one counting as one
		left := need.minus(sum)
		n := left.high
		if left.low > 0 {
			n++
		}
		return b.values[max(n, 1)-1]
	}
	for i, w := range b.weights {
		if sum = sum.plus(amountOf(w)); !sum.less(need) {
			return b.values[i]
		}
	}
	return b.values[len(b.values)-1]
}

func (s *ranked) add(v, weight float64) {
	if len(s.blocks) == 0 {
		s.blocks = append(s.blocks, &block{})
	}
	n := s.block(v, weight)
	if n == len(s.blocks) {
		n--
	}
	b, w := s.blocks[n], amountOf(weight)
	b.insert(b.place(v, weight), v, weight)
	b.sum, s.total = b.sum.plus(w), s.total.plus(w)
	if len(b.values) == blockSize {
		s.blocks = slices.Insert(s.blocks, n+1, b.split())
	}
}

// remove takes one out, which must be there.
func (s *ranked) remove(v, weight float64) {
	n := s.block(v, weight)
	b, w := s.blocks[n], amountOf(weight)
	i := b.place(v, weight)
	b.values = slices.Delete(b.values, i, i+1)
	if b.weights != nil {
		b.weights = slices.Delete(b.weights, i, i+1)
	}
	b.sum, s.total = b.sum.minus(w), s.total.minus(w)
	switch {
	case len(b.values) == 0:
		s.blocks = slices.Delete(s.blocks, n, n+1)
	case n+1 < len(s.blocks) && len(b.values)+len(s.blocks[n+1].values) < blockSize/2:
		b.join(s.blocks[n+1])
		s.blocks = slices.Delete(s.blocks, n+1, n+2)
	}
}

// block gives the first block whose last value is not before this one.
func (s *ranked) block(v, weight float64) int {
	n, _ := slices.BinarySearchFunc(s.blocks, v, func(b *block, v float64) int {
		if len(b.values) == 0 {
			return 1
		}
		last := len(b.values) - 1
		return cmp.Or(cmp.Compare(b.values[last], v), cmp.Compare(b.weight(last), weight))
	})
	return n
}

func (b *block) weight(i int) float64 {
	if b.weights == nil {
		return 1
	}
	return b.weights[i]
}

// place gives where a value stands or would stand: in order of value, then of weight.
func (b *block) place(v, weight float64) int {
	low, high := 0, len(b.values)
	for low < high {
		i := int(uint(low+high) >> 1) //nolint:gosec // never negative
		if cmp.Or(cmp.Compare(b.values[i], v), cmp.Compare(b.weight(i), weight)) < 0 {
			low = i + 1
		} else {
			high = i
		}
	}
	return low
}

func (b *block) insert(i int, v, weight float64) {
	if weight != 1 && b.weights == nil {
		b.weights = slices.Repeat([]float64{1}, len(b.values))
	}
	b.values = slices.Insert(b.values, i, v)
	if b.weights != nil {
		b.weights = slices.Insert(b.weights, i, weight)
	}
}

// split moves the upper half into a block of its own.
func (b *block) split() *block {
	half := len(b.values) / 2
	upper := &block{values: append(make([]float64, 0, blockSize), b.values[half:]...)}
	if b.weights != nil {
		upper.weights = append(make([]float64, 0, blockSize), b.weights[half:]...)
		b.weights = b.weights[:half]
	}
	b.values = b.values[:half]
	for i := range upper.values {
		upper.sum = upper.sum.plus(amountOf(upper.weight(i)))
	}
	b.sum = b.sum.minus(upper.sum)
	return upper
}

// join appends the next block.
func (b *block) join(next *block) {
	if b.weights == nil && next.weights != nil {
		b.weights = slices.Repeat([]float64{1}, len(b.values))
	}
	if b.weights != nil {
		for i := range next.values {
			b.weights = append(b.weights, next.weight(i))
		}
	}
	b.values = append(b.values, next.values...)
	b.sum = b.sum.plus(next.sum)
}

func (s *ranked) size() int64 {
	n := 8 * int64(cap(s.blocks))
	for _, b := range s.blocks {
		n += 64 + 8*int64(cap(b.values)+cap(b.weights))
	}
	return n
}
