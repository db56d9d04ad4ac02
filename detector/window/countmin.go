package window

import (
	"math"

	"github.com/cespare/xxhash/v2"
)

// Sketch counts the events of very many keys in a window, in memory that does not grow: a count-min sketch for each of
// several panes of the window. What it says of a key is never less than the truth; keys that share all their cells
// with others are over-counted. Make it with NewSketch. Instants must not fall but for Raise.
type Sketch struct {
	length int64    // of the window
	width  uint64   // columns; a power of two
	cells  []uint32 // by row, column, pane, so that all panes of a key lie together; in units
	newest int64    // number of the newest pane
	used   [panes]bool
}

const (
	sketchRows = 4
	// panes cover the window whatever its phase: eight, and the one that is only partly inside.
	panes = 9
	// units are what an event of weight 1 counts: fractions are rounded up to the next.
	units = 16
	// A sketch takes 144 bytes a column: 37 MiB with the most.
	minWidth, maxWidth = 1 << 10, 1 << 18
)

// NewSketch makes a sketch for a window of a length, of a size that suits some times as many keys.
func NewSketch(length int64, keys int) *Sketch {
	width := uint64(minWidth)
	for width < maxWidth && width < uint64(max(0, keys)) {
		width *= 2
	}
	return &Sketch{length: length, width: width, cells: make([]uint32, sketchRows*width*panes), newest: None}
}

// paneLength is at least a nanosecond.
func (s *Sketch) paneLength() int64 { return (s.length + panes - 2) / (panes - 1) }

// pane gives the number of the pane of an instant.
func (s *Sketch) pane(at int64) int64 {
	n := at / s.paneLength()
	if at%s.paneLength() < 0 {
		n--
	}
	return n
}

// slot gives where a pane's counts stand.
func slot(pane int64) int { return int((pane%panes + panes) % panes) }

// Move lets leave what lies a window and a pane before an instant.
func (s *Sketch) Move(at int64) {
	n := s.pane(at)
	if n <= s.newest {
		return
	}
	for p := max(s.newest+1, n-panes+1); s.newest != None && p <= n; p++ {
		i := slot(p)
		if !s.used[i] {
			continue
		}
		s.used[i] = false
		for ; i < len(s.cells); i += panes {
			s.cells[i] = 0
		}
	}
	s.newest = n
}

// Empty says whether it counts nothing.
func (s *Sketch) Empty() bool { return s.used == [panes]bool{} }

// columns gives where the counts of a key begin in each row.
func (s *Sketch) columns(key string) (at [sketchRows]int) {
	h := xxhash.Sum64String(key)
	step := (h>>32 | h<<32) * 0x9e3779b97f4a7c15
	for row := range at {
		h += step
		at[row] = int((uint64(row)*s.width + (h^h>>29)&(s.width-1)) * panes) //nolint:gosec // below the length
	}
	return at
}

// least gives what a key's cells say of the pane at a slot.
func (s *Sketch) least(at *[sketchRows]int, slot int) uint32 {
	n := s.cells[at[0]+slot]
	for _, i := range at[1:] {
		n = min(n, s.cells[i+slot])
	}
	return n
}

// raise makes all cells of a key at least n.
func (s *Sketch) raise(at *[sketchRows]int, slot int, n uint32) {
	s.used[slot] = true
	for _, i := range at {
		s.cells[i+slot] = max(s.cells[i+slot], n)
	}
}

// Count gives how many events of a key are in the window, never less than there are.
func (s *Sketch) Count(key string) float64 {
	at, total := s.columns(key), 0.0
	for slot := range panes {
		total += weight(s.least(&at, slot))
	}
	return total
}

// weight is what a cell stands for: one that is full stands for anything.
func weight(n uint32) float64 {
	if n == math.MaxUint32 {
		return math.Inf(1)
	}
	return float64(n) / units
}

// Add counts an event. Only cells that say less than the key now has are raised: the others are over-counted already.
func (s *Sketch) Add(key string, at int64, weight float64) {
	s.Move(at)
	cols, i := s.columns(key), slot(s.pane(at))
	s.raise(&cols, i, sum(s.least(&cols, i), inUnits(weight)))
}

// Each gives the events of a key that the sketch stands for, oldest first: how many, and the last instant at which
// they can have been.
func (s *Sketch) Each(key string, now int64, f func(at int64, weight float64)) {
	cols := s.columns(key)
	for p := s.newest - panes + 1; p <= s.newest; p++ {
		if n := s.least(&cols, slot(p)); n > 0 {
			f(min(now, Add((p+1)*s.paneLength(), -1)), float64(n)/units)
		}
	}
}

// Raise takes in all events that a key has had, in order: what the sketch says of it is then never less than that.
// Events may have been counted before.
func (s *Sketch) Raise(key string, each func(f func(at int64, weight float64))) {
	cols := s.columns(key)
	pane, n := None, uint32(0)
	flush := func() {
		if n > 0 {
			s.raise(&cols, slot(pane), n)
		}
	}
	each(func(at int64, weight float64) {
		p := s.pane(at)
		if p <= s.newest-panes || p > s.newest {
			return
		}
		if p != pane {
			flush()
			pane, n = p, 0
		}
		n = sum(n, inUnits(weight))
	})
	flush()
}

// inUnits rounds a weight up. Less than nothing is nothing: it could only lower the count.
func inUnits(weight float64) uint32 {
	return uint32(min(math.MaxUint32, max(0, math.Ceil(weight*units))))
}

func sum(a, b uint32) uint32 {
	if a > math.MaxUint32-b {
		return math.MaxUint32
	}
	return a + b
}

// Encode writes the sketch: only what is not zero.
func (s *Sketch) Encode(e *Encoder) {
	e.Uint(s.width)
	e.Int(s.newest)
	n := 0
	for _, c := range s.cells {
		if c != 0 {
			n++
		}
	}
	e.Len(n)
	last := -1
	for i, c := range s.cells {
		if c != 0 {
			e.Len(i - last)
			e.Uint(uint64(c))
			last = i
		}
	}
}

// DecodeSketch reads a sketch for a window of a length that Encode wrote.
func DecodeSketch(d *Decoder, length int64) *Sketch {
	width := d.Uint()
	if width < minWidth || width > maxWidth || width&(width-1) != 0 {
		d.Fail()
		return NewSketch(length, 0)
	}
	s := NewSketch(length, int(width)) //nolint:gosec // bounded above
	s.newest = d.Int()
	i := uint64(0)
	for range d.Len(2) {
		gap, c := d.Uint(), d.Uint()
		if i += gap; gap == 0 || gap > uint64(len(s.cells)) || i > uint64(len(s.cells)) || c == 0 || c > math.MaxUint32 {
			d.Fail()
			return s
		}
		s.cells[i-1] = uint32(c)
		s.used[(i-1)%panes] = true
	}
	return s
}
