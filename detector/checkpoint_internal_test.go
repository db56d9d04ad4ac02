package detector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"imwatch/internal/bus"
)

func TestCheckpointsAreReadBack(t *testing.T) {
	t.Parallel()
	c := &checkpoint{topic: "t", positions: bus.Position{0: 7, 5: 1 << 40}, engine: []byte("state"), rejected: []string{"a", ""}, health: []byte("{}")}
	b := c.encode()
	got, err := decodeCheckpoint(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, got, cmp.AllowUnexported(checkpoint{})); diff != "" {
		t.Errorf("written (-) and read (+) differ:\n%s", diff)
	}
	for i := range b {
		b[i] ^= 1
		if _, err := decodeCheckpoint(b); !errors.Is(err, errCheckpoint) {
			t.Errorf("byte %d changed: found %v", i, err)
		}
		b[i] ^= 1
	}
}

func FuzzDecodeCheckpoint(f *testing.F) {
	b := (&checkpoint{topic: "t", positions: bus.Position{0: 7}, engine: []byte("state"), rejected: []string{"a"}}).encode()
	f.Add(b[:len(b)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decodeCheckpoint(binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.ChecksumIEEE(body)))
		if err != nil {
			return
		}
		if _, err := decodeCheckpoint(c.encode()); err != nil {
			t.Errorf("what was read cannot be written and read again: %v", err)
		}
	})
}

func TestFileCheckpoint(t *testing.T) {
	t.Parallel()
	f := FileCheckpoint(filepath.Join(t.TempDir(), "state"))
	if b, err := f.Load(); b != nil || err != nil {
		t.Fatalf("found %q, %v before anything was saved", b, err)
	}
	for _, want := range []string{"one", "two, longer", "3"} {
		if err := f.Save([]byte(want)); err != nil {
			t.Fatal(err)
		}
		// What a crash while writing leaves behind is not looked at.
		if err := os.WriteFile(string(f)+".new", []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Load(); string(b) != want || err != nil {
			t.Errorf("found %q, %v, expected %q", b, err, want)
		}
	}
	if err := FileCheckpoint(filepath.Join(string(f), "below-a-file")).Save(nil); err == nil {
		t.Error("saving where no file can be is no error")
	}
}
