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
	return int64(unsafe.Sizeof(*c)) + 8*int64(cap(c.at)+cap(c.weights))
}

// Size gives the memory of the row.
func (c *consecutive) Size() int64 { return int64(unsafe.Sizeof(*c)) }

// idSize is what an event's id takes: <node>-<boot id>-<sequence>.
const idSize = 40

// Size gives the memory of the evidence beside the value itself. The values counted are shared by all keys.
func (v *Evidence) Size() int64 {
	n := int64(cap(v.ids))*int64(unsafe.Sizeof(mark{})) + int64(len(v.ids))*idSize
	n += int64(cap(v.tags)) * int64(unsafe.Sizeof(tagged{}))
	if len(v.tags) > 0 {
		n += int64(len(v.tags)) * int64(cap(v.tags[len(v.tags)-1].tags)) * int64(unsafe.Sizeof(Tag{}))
	}
	return n
}
