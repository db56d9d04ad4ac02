//go:build !unix

package imserver

import "errors"

// rawIO says that reads and writes on a descriptor do not wait: here they are not done.
const rawIO = false

func readRaw(uintptr, []byte) (int, error)  { return 0, errors.ErrUnsupported }
func writeRaw(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
