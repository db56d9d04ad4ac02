package app

import "io"

// Streams is where a command reads and writes. Out carries results, Err diagnostics and progress.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}
