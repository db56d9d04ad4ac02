package shipper

import (
	"os"

	"imwatch/shipper/queue"
)

// unsynced is a file system that makes nothing durable: where no machine is killed that takes time only.
type unsynced struct{ queue.OS }

func (unsynced) SyncDir(string) error { return nil }

func (u unsynced) OpenFile(name string, flag int, perm os.FileMode) (queue.File, error) {
	f, err := u.OS.OpenFile(name, flag, perm)
	return unsyncedFile{f}, err
}

type unsyncedFile struct{ queue.File }

func (unsyncedFile) Sync() error { return nil }
