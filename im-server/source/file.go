package source

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Stamp tells one version of a file from another. The zero Stamp is of none.
type Stamp struct {
	modified time.Time
	size     int64
	content  [sha256.Size]byte
}

// Look looks at a file of which a version is known. It is read only if time or size differ; body is nil where its content is
// what it was. info is what was seen of it.
func Look(path string, before Stamp) (now Stamp, body []byte, info fs.FileInfo, err error) {
	if info, err = os.Stat(path); err != nil {
		return before, nil, nil, fmt.Errorf("looking at the file: %w", err)
	}
	now = Stamp{modified: info.ModTime(), size: info.Size()}
	if now.modified.Equal(before.modified) && now.size == before.size {
		return before, nil, info, nil
	}
	if now.size > MaxBytes {
		return before, nil, info, fmt.Errorf("%s has %d bytes, at most %d are taken", path, now.size, MaxBytes)
	}
	if body, err = os.ReadFile(path); err != nil {
		return before, nil, info, fmt.Errorf("reading the file: %w", err)
	}
	if now.content = sha256.Sum256(body); now.content == before.content {
		body = nil
	}
	return now, body, info, nil
}

// file is a document in a file.
type file struct {
	path      string
	seen, was Stamp
}

func (f *file) fetch(context.Context) (fetched, error) {
	now, body, _, err := Look(f.path, f.was)
	if err != nil {
		return fetched{}, err
	}
	if f.seen = now; body == nil {
		f.was = now
	}
	return fetched{body: body, changed: body != nil}, nil
}

func (f *file) taken() { f.was = f.seen }
