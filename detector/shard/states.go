package shard

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"strings"

	"imwatch/internal/bus"
)

// states puts the states of one name together from messages as they come. What does not fit is passed over: half of a
// state whose writer died, or of another one's.
type states struct {
	prefix  string
	open    [slots]pieces
	best    *found // nil: none is whole
	pair    int    // of the owner last heard of
	claimed bool   // it has said so itself
}

// pieces are the chunks of the state that a slot was begun with last.
type pieces struct {
	id     uint64
	chunks map[int][]byte
}

func newStates(name string) *states { return &states{prefix: name + "/"} }

// take takes a message in.
func (s *states) take(m *bus.Message) {
	rest, ours := strings.CutPrefix(string(m.Key), s.prefix)
	switch {
	case !ours:
	case rest == claimKey:
		if len(m.Value) == 2 && m.Value[0] == claimMagic {
			s.pair, s.claimed = int(m.Value[1])%pairs, true
		}
	case len(m.Value) >= 9:
		if f := s.piece(rest, m); f != nil && (s.best == nil || f.rank >= s.best.rank) {
			s.best = f
			if !s.claimed {
				s.pair = f.slot / 2
			}
		}
	}
}

// piece takes in a chunk or a manifest, and gives the state that it makes whole, if it does.
func (s *states) piece(place string, m *bus.Message) *found {
	name, _, isChunk := strings.Cut(place, "/")
	slot, err := strconv.Atoi(name)
	if err != nil || slot < 0 || slot >= slots {
		return nil
	}
	p := &s.open[slot]
	id := binary.LittleEndian.Uint64(m.Value[1:9])
	switch {
	case isChunk && m.Value[0] == chunkMagic:
		if p.id != id || p.chunks == nil {
			*p = pieces{id, map[int][]byte{}}
		}
		if i, n := binary.Uvarint(m.Value[9:]); n > 0 && i < 1<<30 {
			p.chunks[int(i)] = m.Value[9+n:] //nolint:gosec // bounded
		}
	case !isChunk && m.Value[0] == manifestMagic:
		return p.whole(slot, id, m.Value[9:])
	}
	return nil
}

// whole gives the state that a manifest is about, if all of it is there.
func (p *pieces) whole(slot int, id uint64, b []byte) *found {
	if p.id != id {
		*p = pieces{id: id} // of one without any chunk
	}
	count, n := binary.Uvarint(b)
	if n <= 0 {
		return nil
	}
	size, k := binary.Uvarint(b[n:])
	if n += k; k <= 0 || len(b) < n+5 {
		return nil
	}
	sum := binary.LittleEndian.Uint32(b[n:])
	rank, k := binary.Varint(b[n+4:])
	if k <= 0 || count != uint64(len(p.chunks)) {
		return nil
	}
	held := uint64(0)
	for _, c := range p.chunks {
		held += uint64(len(c))
	}
	if held != size {
		return nil
	}
	state := make([]byte, 0, size)
	for i := range len(p.chunks) {
		state = append(state, p.chunks[i]...)
	}
	if crc32.Checksum(state, castagnoli()) != sum {
		return nil
	}
	return &found{slot, rank, state}
}
