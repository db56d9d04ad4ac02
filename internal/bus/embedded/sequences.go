package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"imwatch/internal/bus"
	"imwatch/internal/bus/recordbatch"
)

// The broker recognises repeats by what it remembers of each producer, and writes that down when it is stopped in
// order only. After a kill it would take a batch again that it had written. So before it starts, its memory is made
// anew of the ends of its logs, where each batch names its producer and sequence, as Kafka does it.

// windows is the broker's file of what it remembers of producers.
type windows struct {
	Version int      `json:"version"`
	Windows []window `json:"windows"`
}

// window is a producer's last batches in a partition: a ring of which the first Count places are in use, the next one
// to be overwritten being At.
type window struct {
	Producer  int64            `json:"pid"`
	Topic     string           `json:"topic"`
	Partition int32            `json:"partition"`
	Entries   [remembered]seen `json:"entries"`
	Count     uint8            `json:"count"`
	At        uint8            `json:"at"`
	Epoch     int16            `json:"epoch"`
	Seen      bool             `json:"seen"`
	Next      int32            `json:"next_seq"`
}

type seen struct {
	First  int32 `json:"first_seq"`
	Next   int32 `json:"next_seq"`
	Offset int64 `json:"offset"`
}

const (
	windowsVersion = 1
	remembered     = 5

	// tailSegments is how many of a partition's last files are looked into: they hold far more than a producer's last
	// batches, unless many others have written since, and then its repeats are refused, not written.
	tailSegments = 4
)

// rememberProducers brings the broker's memory of producers up to what its logs hold.
func rememberProducers(dir string) error {
	path := filepath.Join(dir, "seq_windows.json")
	var all windows
	switch b, err := os.ReadFile(path); {
	case err == nil:
		if json.Unmarshal(b, &all) != nil || all.Version != windowsVersion {
			all = windows{} // torn, or of another time: the logs say more
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("reading what is remembered of producers: %w", err)
	}
	parts, err := os.ReadDir(filepath.Join(dir, "partitions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for the logs: %w", err)
	}
	for _, p := range parts {
		fresh, err := windowsOf(filepath.Join(dir, "partitions", p.Name()), p.Name())
		if err != nil {
			return err
		}
		for _, w := range fresh {
			all.Windows = slices.DeleteFunc(all.Windows, func(o window) bool {
				return o.Producer == w.Producer && o.Topic == w.Topic && o.Partition == w.Partition
			})
			all.Windows = append(all.Windows, w)
		}
	}
	all.Version = windowsVersion
	b, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encoding what is remembered of producers: %w", err)
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("writing what is remembered of producers: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("replacing what is remembered of producers: %w", err)
	}
	return nil
}

// windowsOf reads the end of a partition's log; name is topic and partition as the broker writes them.
func windowsOf(dir, name string) (map[int64]window, error) {
	cut := strings.LastIndexByte(name, '-')
	if cut < 0 {
		return nil, nil //nolint:nilnil // not a partition's: the broker does not read it either
	}
	topic, err := url.PathUnescape(name[:cut])
	number, bad := strconv.ParseInt(name[cut+1:], 10, 32)
	if err != nil || bad != nil {
		return nil, nil //nolint:nilnil,nilerr // as above
	}
	bases, err := segments(dir)
	if err != nil {
		return nil, err
	}
	out := map[int64]window{}
	for _, base := range bases[max(0, len(bases)-tailSegments):] {
		b, err := os.ReadFile(filepath.Join(dir, strconv.FormatInt(base, 10)+".dat"))
		if err != nil {
			return nil, fmt.Errorf("reading a log: %w", err)
		}
		for len(b) > 0 {
			h, err := recordbatch.Inspect(b)
			if err != nil {
				break // torn: the broker ends here too
			}
			b = b[h.Bytes:]
			if h.ID >= 0 {
				w := out[h.ID]
				w.Topic, w.Partition, w.Producer = topic, int32(number), h.ID
				w.note(h.Stamp, int32(h.Count), h.Base) //nolint:gosec // a batch's number of messages has 32 bits
				out[h.ID] = w
			}
		}
	}
	return out, nil
}

// note takes in a batch, in the order of the log.
func (w *window) note(as bus.Stamp, n int32, base int64) {
	if as.Epoch != w.Epoch || !w.Seen {
		*w = window{Producer: w.Producer, Topic: w.Topic, Partition: w.Partition, Epoch: as.Epoch, Seen: true}
	}
	w.Next = as.Sequence + n
	w.Entries[w.At] = seen{First: as.Sequence, Next: w.Next, Offset: base}
	w.At = (w.At + 1) % remembered
	w.Count = min(w.Count+1, remembered)
}

// segments lists the files of a log by the offsets with which they begin.
func segments(dir string) ([]int64, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for a log's files: %w", err)
	}
	var out []int64
	for _, f := range files {
		if base, is := strings.CutSuffix(f.Name(), ".dat"); is {
			if n, err := strconv.ParseInt(base, 10, 64); err == nil {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}
