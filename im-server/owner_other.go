//go:build !unix

package imserver

import "io/fs"

// fileOwner gives nothing: this system does not say it so.
func fileOwner(fs.FileInfo) string { return "" }
