package recordbatch

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is a compression, by Kafka's number for it.
type Codec int8

// The compressions.
const (
	None   Codec = 0
	Snappy Codec = 2
	LZ4    Codec = 3
	Zstd   Codec = 4
)

// packer compresses, keeping the codecs' tables between batches. Not safe for concurrent use.
type packer struct {
	lz4  lz4.Compressor
	zstd *zstd.Encoder
}

// pack appends src to dst in the form in which Kafka's clients expect it.
func (p *packer) pack(dst []byte, codec Codec, src []byte) []byte {
	switch codec {
	case LZ4:
		return p.packLZ4(dst, src)
	case Zstd:
		if p.zstd == nil {
			// It fails for bad options only, and these are good.
			p.zstd, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		}
		return p.zstd.EncodeAll(src, dst)
	case Snappy:
		return packSnappy(dst, src)
	default:
		return append(dst, src...)
	}
}

// lz4Frame begins a frame: the magic number, version 1 with blocks that are independent of each other and without
// checksums (the batch has one), blocks of up to 256 KiB, and the second byte of the head's own xxHash32.
var lz4Frame = [...]byte{0x04, 0x22, 0x4d, 0x18, 0x60, 0x50, 0xfb}

const (
	lz4Block = 256 << 10
	lz4Plain = 1 << 31 // marks a block that is not compressed
)

func (p *packer) packLZ4(dst, src []byte) []byte {
	dst = append(dst, lz4Frame[:]...)
	for len(src) > 0 {
		block := src[:min(len(src), lz4Block)]
		src = src[len(block):]
		head := len(dst)
		dst = slices.Grow(dst, 4+lz4.CompressBlockBound(len(block)))
		room := dst[head+4 : head+4+lz4.CompressBlockBound(len(block))]
		n, err := p.lz4.CompressBlock(block, room)
		if err != nil || n == 0 || n >= len(block) { // it does not become smaller
			dst = binary.LittleEndian.AppendUint32(dst, lz4Plain|uint32(len(block)))
			dst = append(dst, block...)
			continue
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
		dst = dst[:head+4+n]
	}
	return append(dst, 0, 0, 0, 0) // the end of the frame
}

// snappyFrame begins what Java's snappy library writes and all of Kafka's clients read: a magic number, a version, and
// the oldest version that can read it.
var snappyFrame = [...]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}

const snappyBlock = 32 << 10

func packSnappy(dst, src []byte) []byte {
	dst = append(dst, snappyFrame[:]...)
	for len(src) > 0 {
		block := src[:min(len(src), snappyBlock)]
		src = src[len(block):]
		head := len(dst)
		bound := snappy.MaxEncodedLen(len(block))
		dst = slices.Grow(dst, 4+bound)
		packed := snappy.Encode(dst[head+4:head+4+bound], block)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(packed)))
		dst = dst[:head+4+len(packed)]
	}
	return dst
}

// unknown says that a batch is compressed in a way that is not known here.
func (c Codec) unknown() error { return fmt.Errorf("compression %d is not known: %w", c, ErrCorrupt) }
