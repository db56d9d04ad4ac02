//go:build unix

package imserver

import (
	"io/fs"
	"os/user"
	"strconv"
	"syscall"
)

// fileOwner gives the name of a file's owner, or its number where it has no name.
func fileOwner(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	id := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
