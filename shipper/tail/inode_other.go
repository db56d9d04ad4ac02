//go:build !unix

package tail

import (
	"hash/fnv"
	"io/fs"
)

// inode stands for a file's place on its device. Here it is the path: a renamed file is known again by its content.
type inode struct{ dev, ino uint64 }

func inodeOf(_ fs.FileInfo, path string) inode {
	h := fnv.New64a()
	_, _ = h.Write([]byte(path))
	return inode{ino: h.Sum64()}
}
