package shipper

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"imwatch/internal/disk"
	"imwatch/shipper/tail"
)

// checkpoint is what survives a restart: everything before these positions is acknowledged by the broker.
type checkpoint struct {
	Written time.Time    `json:"written"`
	Files   []tail.State `json:"files"`
	Nodes   []nodeState  `json:"nodes"`
	Entry   uint64       `json:"entry,omitempty"` // of the queue: what stands in it up to this one is contained
}

// nodeState is what is remembered of a node, so that one that is silent is reported on after a restart too.
type nodeState struct {
	Name  string    `json:"name"`
	Until time.Time `json:"until"` // the last watermark
	Seen  time.Time `json:"seen"`  // when it last wrote a line
	Files []string  `json:"files"` // the logs its lines stand in
}

// envelope guards the checkpoint by a checksum over its bytes.
type envelope struct {
	Version int             `json:"version"`
	CRC     uint32          `json:"crc32c"`
	Body    json.RawMessage `json:"checkpoint"`
}

const checkpointVersion = 1

func castagnoli(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// saveCheckpoint replaces the file in one step and keeps the one before, so that whatever moment the power goes, a
// whole one is left.
func saveCheckpoint(path string, c checkpoint) error {
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encoding the checkpoint: %w", err)
	}
	b, err := json.Marshal(envelope{Version: checkpointVersion, CRC: castagnoli(body), Body: body})
	if err != nil {
		return fmt.Errorf("encoding the checkpoint: %w", err)
	}
	tmp := path + ".tmp"
	if err := writeSynced(tmp, append(b, '\n')); err != nil {
		return fmt.Errorf("writing the checkpoint: %w", err)
	}
	if err := os.Rename(path, path+".previous"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keeping the previous checkpoint: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("replacing the checkpoint: %w", err)
	}
	return disk.SyncDir(filepath.Dir(path))
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err // the caller says what it was doing
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// loadCheckpoint reads the file, or the previous one where the file is missing or torn. Without either it begins
// anew; problem then says what was wrong, if there was anything. One that is torn is set aside: the next save would have
// it take the place of the previous one, which is the only good one then.
func loadCheckpoint(path string) (c checkpoint, problem error) {
	for _, p := range []string{path, path + ".previous"} {
		c, err := readCheckpoint(p)
		if err == nil {
			return c, problem
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		problem = errors.Join(problem, err)
		if _, unread := errors.AsType[*fs.PathError](err); !unread {
			problem = errors.Join(problem, os.Rename(p, path+".damaged"))
		}
	}
	return checkpoint{}, problem
}

func readCheckpoint(path string) (checkpoint, error) {
	var c checkpoint
	b, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("reading the checkpoint: %w", err)
	}
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return c, fmt.Errorf("reading the checkpoint %s: %w", path, err)
	}
	if e.Version != checkpointVersion {
		return c, fmt.Errorf("reading the checkpoint %s: its version is %d, known is %d", path, e.Version, checkpointVersion)
	}
	if crc := castagnoli(e.Body); crc != e.CRC {
		return c, fmt.Errorf("reading the checkpoint %s: its checksum is %08x, that of its content %08x", path, e.CRC, crc)
	}
	if err := json.Unmarshal(e.Body, &c); err != nil {
		return c, fmt.Errorf("reading the checkpoint %s: %w", path, err)
	}
	return c, nil
}
