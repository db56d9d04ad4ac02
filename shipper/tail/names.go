package tail

import (
	"path/filepath"
	"regexp"
	"strings"
)

// The forms in which rotated files are named: app.log.3, app.log.2026-11-21, app.log-20261121, app.log.old, and
// app-2026-11-21T10-00-00.000.log. A bare number before the extension (node-1.log) is no rotation.
var (
	suffixed = regexp.MustCompile(`^(.+\.[A-Za-z]+)(?:\.\d[\dTZ:._+-]*|-\d{8}[\dTZ:._+-]*|-\d{4}-\d\d-\d\d[\dTZ:._+-]*|\.old|\.bak)$`)
	infixed  = regexp.MustCompile(`^(.+?)[-._](?:\d{8}|\d{4}-\d\d-\d\d)[\dTZ:._+-]*(\.[A-Za-z]+)$`)
)

// liveName gives the name under which a rotated file was written; a name that is not that of a rotated file is its
// own.
func liveName(name string) string {
	if m := suffixed.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	if m := infixed.FindStringSubmatch(name); m != nil {
		return m[1] + m[2]
	}
	return name
}

// gzipped says whether a name is that of a file that gzip has packed.
func gzipped(name string) bool { return strings.EqualFold(filepath.Ext(name), ".gz") }

// plainName is a name without what packing has added to it.
func plainName(name string) string {
	if gzipped(name) {
		return name[:len(name)-len(".gz")]
	}
	return name
}

// opaque says whether a name is that of a file that is packed in a way that is not read.
func opaque(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".zst", ".bz2", ".xz", ".lz4", ".zip":
		return true
	}
	return false
}

// olderName orders the names of rotated files of one log when their times do not: a higher number is older, an
// earlier date is older.
func olderName(a, b string) bool {
	if na, nb := number(a), number(b); na != nb && na >= 0 && nb >= 0 {
		return na > nb
	}
	return a < b
}

// ordered says whether two names tell which file is the older one: both are numbered, or both are dated.
func ordered(a, b string) bool {
	na, nb := number(a), number(b)
	if na >= 0 || nb >= 0 {
		return na >= 0 && nb >= 0
	}
	return rotated(a) && rotated(b)
}

func rotated(path string) bool {
	name := filepath.Base(path)
	return liveName(name) != name
}

// number gives the n of app.log.n with up to four digits, -1 where there is none.
func number(path string) int {
	ext := filepath.Ext(path)
	if len(ext) < 2 || len(ext) > 5 {
		return -1
	}
	n := 0
	for _, c := range ext[1:] {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}
