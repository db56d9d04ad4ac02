//go:build unix

package imserver

import "syscall"

// rawIO says that reads and writes on a descriptor do not wait here.
const rawIO = true

func readRaw(fd uintptr, p []byte) (int, error)  { return syscall.Read(int(fd), p) }  //nolint:gosec // a descriptor is small
func writeRaw(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) } //nolint:gosec // the same
