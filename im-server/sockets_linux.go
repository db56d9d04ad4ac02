package imserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// clientSockets counts the sockets of this process whose own port is the one given, listeners apart: what the system
// says clients hold here.
func clientSockets(port int) (int, error) {
	ours, err := socketInodes()
	if err != nil {
		return 0, err
	}
	n := 0
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(table)
		if errors.Is(err, fs.ErrNotExist) {
			continue // no IPv6 here
		}
		if err != nil {
			return 0, fmt.Errorf("counting sockets: %w", err)
		}
		n += countSockets(f, port, ours)
		if err := f.Close(); err != nil {
			return 0, fmt.Errorf("counting sockets: %w", err)
		}
	}
	return n, nil
}

// socketInodes gives the inodes of the sockets that this process has open.
func socketInodes() (map[uint64]struct{}, error) {
	const fds = "/proc/self/fd"
	dir, err := os.Open(fds)
	if err != nil {
		return nil, fmt.Errorf("counting sockets: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("counting sockets: %w", err)
	}
	inodes := make(map[uint64]struct{}, len(names))
	for _, name := range names {
		target, err := os.Readlink(fds + "/" + name)
		if err != nil {
			continue // closed meanwhile
		}
		digits, ok := strings.CutPrefix(target, "socket:[")
		if inode, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64); ok && err == nil {
			inodes[inode] = struct{}{}
		}
	}
	return inodes, nil
}

// listening is the state of a listener in the table.
const listening = "0A"

// countSockets reads a table such as /proc/net/tcp, whose columns are sl, local_address, rem_address, st, tx:rx, tr:when,
// retrnsmt, uid, timeout, inode.
func countSockets(r io.Reader, port int, ours map[uint64]struct{}) (n int) {
	suffix := fmt.Appendf(nil, ":%04X", port)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) < 10 || !bytes.HasSuffix(fields[1], suffix) || string(fields[3]) == listening {
			continue
		}
		inode, err := strconv.ParseUint(string(fields[9]), 10, 64)
		if _, mine := ours[inode]; err == nil && mine {
			n++
		}
	}
	return n
}
