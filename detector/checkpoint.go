package detector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"imwatch/detector/window"
	"imwatch/internal/bus"
)

// Checkpointer keeps the newest of a series of states. Save replaces the one before in one piece: after a crash at any
// moment Load gives one or the other, whole. Load gives nil when there is none yet. The bytes belong to the caller.
type Checkpointer interface {
	Load() ([]byte, error)
	Save(state []byte) error
}

// FileCheckpoint keeps states in a file. Its folder must exist. Not safe for concurrent use.
type FileCheckpoint string

// Load reads the file.
func (f FileCheckpoint) Load() ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint: %w", err)
	}
	return b, nil
}

// Save writes a new file, has it on disk, and puts it in the place of the old one.
func (f FileCheckpoint) Save(state []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing the checkpoint: %w", err)
		}
	}()
	tmp := string(f) + ".new"
	file, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	_, err = file.Write(state)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, string(f)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(string(f)))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// errCheckpoint is for bytes that are no checkpoint.
var errCheckpoint = errors.New("not a usable checkpoint")

const checkpointMagic = "imwatch-detector-1"

// checkpoint is the state at one place in the stream.
type checkpoint struct {
	topic     string
	positions bus.Position // offsets of the next messages
	engine    []byte
	rejected  []string // lines of the alerts about rules that were refused
	health    []byte
}

func (c *checkpoint) encode() []byte {
	var e window.Encoder
	e.String(checkpointMagic)
	e.String(c.topic)
	e.Len(len(c.positions))
	for p, offset := range c.positions {
		e.Len(p)
		e.Int(offset)
	}
	e.Blob(c.engine)
	e.Len(len(c.rejected))
	for _, line := range c.rejected {
		e.String(line)
	}
	e.Blob(c.health)
	b := e.Bytes()
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func decodeCheckpoint(b []byte) (*checkpoint, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: %d bytes", errCheckpoint, len(b))
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return nil, fmt.Errorf("%w: the checksum is wrong", errCheckpoint)
	}
	d := window.NewDecoder(body)
	if d.String() != checkpointMagic {
		return nil, fmt.Errorf("%w: found other bytes at its beginning, or another version", errCheckpoint)
	}
	c := &checkpoint{topic: d.String(), positions: bus.Position{}}
	for range d.Len(2) {
		p := int(d.Uint()) //nolint:gosec // only compared
		c.positions[p] = d.Int()
	}
	c.engine = []byte(d.String())
	for range d.Len(1) {
		c.rejected = append(c.rejected, d.String())
	}
	if d.Rest() > 0 { // one from before it was kept ends here
		c.health = []byte(d.String())
	}
	if d.Err() != nil || d.Rest() > 0 {
		return nil, fmt.Errorf("%w: its parts do not fit together", errCheckpoint)
	}
	return c, nil
}
