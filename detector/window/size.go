package window

import "unsafe"

// Sizer is a condition that knows what it holds.
type Sizer interface {
	// Size gives the memory of the condition in bytes, an estimate.
	Size() int64
}

// otherSize is taken for conditions that do not say.
const otherSize = 128

// Size estimates the memory of a condition in bytes.
func Size(c Condition) int64 {
	if s, ok := c.(Sizer); ok {
		return s.Size()
	}
	return otherSize
}

// Size gives the memory of the window.
func (c *threshold) Size() int64 {
	n := int64(unsafe.Sizeof(*c)) + 8*int64(len(c.ring))
	if c.weights != nil {
		n += int64(unsafe.Sizeof(*c.weights)) + 8*int64(len(c.weights.ring))
	}
	return n
}

// Size gives the memory of the row.
func (c *consecutive) Size() int64 { return int64(unsafe.Sizeof(*c)) }

// Size gives the memory of the starts and of how far they have come.
func (c *stepChain) Size() int64 {
	return int64(unsafe.Sizeof(*c)) + 8*int64(cap(c.starts)) + 4*int64(cap(c.runs)) + 2*int64(cap(c.counts))
}

// Size gives the memory of the place.
func (c *travel) Size() int64 { return int64(unsafe.Sizeof(*c)) }

// Size gives the memory of the value or key.
func (c *newTerm) Size() int64 { return int64(unsafe.Sizeof(*c)) }

// Size gives the memory of the evidence beside the value itself, the last event included: most keys have it to
// themselves. The values counted are shared by all keys.
func (v *Evidence) Size() int64 {
	n := int64(unsafe.Sizeof(Witness{}))
	m := v.more
	if m == nil {
		return n
	}
	n += int64(unsafe.Sizeof(*m)) + 8*int64(cap(m.ids)) + int64(cap(m.tags))*int64(unsafe.Sizeof(tagged{}))
	if len(m.tags) > 0 {
		n += int64(len(m.tags)) * int64(cap(m.tags[len(m.tags)-1].tags)) * int64(unsafe.Sizeof(Tag{}))
	}
	return n
}
