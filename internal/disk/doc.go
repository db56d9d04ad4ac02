// Package disk has what those share that keep files of their own: one process at a time, and names that are still there
// after a power cut. Files and folders of other systems than Unix-like ones are as safe as those systems make them.
package disk

import "errors"

// ErrLocked says (wrapped) that another process, or another open file of this one, has the lock.
var ErrLocked = errors.New("somebody else has it")
