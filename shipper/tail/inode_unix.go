//go:build unix

package tail

import (
	"io/fs"
	"syscall"
)

// inode is where a file lies on its device.
type inode struct{ dev, ino uint64 }

func inodeOf(info fs.FileInfo, _ string) inode {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return inode{dev: uint64(st.Dev), ino: st.Ino} //nolint:unconvert // Dev is signed on some systems
	}
	return inode{}
}
