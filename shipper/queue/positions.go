package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
)

// Position is how far one receiver, a partition of a topic, has come.
type Position struct {
	Topic     string
	Partition int
	Acked     uint64 // the last entry of which it has everything
	Producer  int64  // the identity under which it is written to
	Epoch     int16
	Next      int32  // the sequence number of what comes behind Acked
	From      uint64 // from this entry on a new identity is to be taken; 0: from none
}

// Positions is the file of positions. Safe for concurrent use for different places.
type Positions struct {
	file File
	mu   sync.Mutex
	used int
}

// A position's place: checksum of the rest, partition, Acked, Producer, Epoch, length of the topic's name, Next, From, the name.
const (
	placeBytes = 128
	atName     = 40

	// MaxTopic is how many bytes the name of a topic may have.
	MaxTopic = placeBytes - atName
)

// OpenPositions opens the file of positions in dir and returns those that it holds. What is damaged is left out, and
// problem tells of it.
func OpenPositions(fs FS, dir string) (p *Positions, held []Position, problem, err error) {
	if fs == nil {
		fs = OS{}
	}
	if err := fs.MkdirAll(dir, 0o750); err != nil {
		return nil, nil, nil, diskError("making the queue's directory", err)
	}
	f, err := fs.OpenFile(filepath.Join(dir, "positions"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, nil, diskError("opening the queue's positions", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, nil, errors.Join(diskError("opening the queue's positions", err), f.Close())
	}
	b := make([]byte, info.Size())
	if len(b) > 0 {
		if _, err := f.ReadAt(b, 0); err != nil {
			return nil, nil, nil, errors.Join(diskError("reading the queue's positions", err), f.Close())
		}
	}
	p = &Positions{file: f}
	for ; len(b) > 0; b = b[min(len(b), placeBytes):] {
		at, err := decodePosition(b)
		if err != nil {
			problem = errors.Join(problem, fmt.Errorf("the queue's position %d: %w", p.used, err))
		}
		held = append(held, at) // a damaged one keeps its place
		p.used++
	}
	if err := fs.SyncDir(dir); err != nil {
		return nil, nil, nil, errors.Join(diskError("making the queue's positions", err), f.Close())
	}
	return p, held, problem, nil
}

// Add makes a place.
func (p *Positions) Add() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used++
	return p.used - 1
}

// Save writes a position into its place.
func (p *Positions) Save(place int, at Position) error {
	var b [placeBytes]byte
	if len(at.Topic) > MaxTopic {
		return fmt.Errorf("noting a position: the name of topic %q has more than %d bytes", at.Topic, MaxTopic)
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(at.Partition)) //nolint:gosec // partitions have 32 bits
	binary.LittleEndian.PutUint64(b[8:], at.Acked)
	binary.LittleEndian.PutUint64(b[16:], uint64(at.Producer)) //nolint:gosec // the bits
	binary.LittleEndian.PutUint16(b[24:], uint16(at.Epoch))    //nolint:gosec // the bits
	binary.LittleEndian.PutUint16(b[26:], uint16(len(at.Topic)))
	binary.LittleEndian.PutUint32(b[28:], uint32(at.Next)) //nolint:gosec // the bits
	binary.LittleEndian.PutUint64(b[32:], at.From)
	copy(b[atName:], at.Topic)
	binary.LittleEndian.PutUint32(b[:], crc32.Checksum(b[4:], castagnoli))
	_, err := p.file.WriteAt(b[:], int64(place)*placeBytes)
	return diskError("noting a position", err)
}

func decodePosition(b []byte) (Position, error) {
	if len(b) < placeBytes || crc32.Checksum(b[4:placeBytes], castagnoli) != binary.LittleEndian.Uint32(b) {
		return Position{}, fmt.Errorf("its checksum is not that of its content: %w", errTorn)
	}
	n := binary.LittleEndian.Uint16(b[26:])
	if int(n) > MaxTopic {
		return Position{}, fmt.Errorf("a name of %d bytes: %w", n, errTorn)
	}
	return Position{
		Topic: string(b[atName : atName+int(n)]), Partition: int(int32(binary.LittleEndian.Uint32(b[4:]))), //nolint:gosec // the bits
		Acked:    binary.LittleEndian.Uint64(b[8:]),
		Producer: int64(binary.LittleEndian.Uint64(b[16:])), Epoch: int16(binary.LittleEndian.Uint16(b[24:])), //nolint:gosec // the bits
		Next: int32(binary.LittleEndian.Uint32(b[28:])), From: binary.LittleEndian.Uint64(b[32:]), //nolint:gosec // the bits
	}, nil
}

// Sync makes the positions durable.
func (p *Positions) Sync() error { return diskError("making positions durable", p.file.Sync()) }

// Close makes them durable and closes the file.
func (p *Positions) Close() error { return errors.Join(p.Sync(), p.file.Close()) }
