package status

import (
	"strings"
	"time"
)

// The states of files and inputs.
const (
	Live    = "live"    // may be written to, and is read
	Rotated = "rotated" // was renamed or copied, and not all of it is acknowledged
	Gzip    = "gzip"    // is packed, and not all of it is acknowledged
	Deleted = "deleted" // has no name any more, and not all of it is acknowledged
	Done    = "done"    // nothing is written to it any more, and all of it is acknowledged
	Waiting = "waiting" // has no complete first line, by which it would be known
)

// States gives all of them.
func States() []string { return []string{Live, Rotated, Gzip, Deleted, Done, Waiting} }

// File is one file, or one input that is no file.
type File struct {
	Path        string     `json:"path"`            // where it lies, or what the input is called
	Log         string     `json:"log,omitempty"`   // the live path of the log that it belongs to
	Source      string     `json:"source"`          // as in the metrics: its patterns, or what the input is called
	Input       string     `json:"input"`           // file, stdin, syslog or http
	State       string     `json:"state"`           // one of States
	Device      uint64     `json:"device"`          // 0 where the system has none
	Inode       uint64     `json:"inode"`           // 0 where the system has none
	Fingerprint string     `json:"fingerprint"`     // hash of the first line, hex; empty: not known yet
	Run         int        `json:"run,omitempty"`   // counts files that begin with the same line, from 0
	Open        bool       `json:"open"`            // it has a descriptor
	Copy        bool       `json:"copy,omitempty"`  // the same is read from another file
	Size        int64      `json:"size"`            // of what it unpacks to, where it is packed
	Read        int64      `json:"read_to"`         // the offset up to which it is read
	Acked       int64      `json:"acknowledged_to"` // the offset up to which the brokers have it
	LagLines    int64      `json:"lag_lines"`       // behind Acked, by the mean length of the log's lines
	LagBytes    int64      `json:"lag_bytes"`       // behind Acked
	LagSeconds  float64    `json:"lag_seconds"`     // age of the oldest line that is not acknowledged
	LinesRead   int64      `json:"lines_read"`      // of the whole log or input, since the shipper was started
	Rate        float64    `json:"lines_per_second"`
	Modified    *time.Time `json:"modified,omitempty"`
	Error       string     `json:"last_error,omitempty"`
	ErrorAt     *time.Time `json:"last_error_at,omitempty"`
}

// order is by path, and by fingerprint where several had one.
func (f *File) order(o *File) int { return strings.Compare(f.key(), o.key()) }

func (f *File) key() string { return f.Path + "\x00" + f.Fingerprint }
