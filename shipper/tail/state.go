package tail

import (
	"hash/fnv"
	"time"
)

// ID names a generation. It is the same after a restart and for every copy.
type ID struct {
	File string // the live path, under which all generations of one log stand together
	Head string // hash of the first line, hex
	Run  int    // counts generations that begin with the same line, from 0
}

// State is a position in a generation, and what is needed to find it again.
type State struct {
	File   string    `json:"file"`
	Head   string    `json:"head"`
	Run    int       `json:"run,omitempty"`
	Path   string    `json:"path"` // where it was seen last
	Dev    uint64    `json:"dev"`
	Inode  uint64    `json:"inode"`
	Offset int64     `json:"offset"`          // everything before it is done with
	Size   int64     `json:"size"`            // of the file when last seen
	Tail   uint64    `json:"tail"`            // hash of the up to 64 bytes before Offset
	Sum    uint32    `json:"crc32,omitempty"` // of all bytes before Offset, as gzip sums them up
	Summed bool      `json:"summed,omitempty"`
	Next   []byte    `json:"next,omitempty"` // up to 64 bytes that follow the first line
	Part   int       `json:"part,omitempty"`
	Line   int64     `json:"line,omitempty"` // with Part > 0: where the line begins in whose middle Offset is
	Seen   time.Time `json:"seen"`
}

// ID gives the generation that the state belongs to.
func (s State) ID() ID { return ID{File: s.File, Head: s.Head, Run: s.Run} }

// tailLen is how many bytes before a position must be found again for it to be believed: more than the difference
// between two lines that only count up, and a read of one cache line.
const tailLen = 64

func tailHash(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b[max(0, len(b)-tailLen):])
	return h.Sum64()
}
