// Package sqlite is the store inside the process: a directory with one SQLite file for each index, so one a day and
// retention class, and dropping an index unlinks its file.
//
// What Put and Swap answered survives a crash of the process (SIGKILL): it is in the write-ahead log, which belongs to
// the kernel by then. A crash of the machine may lose the last moments, never the files' consistency, unless
// Config.FullSync is set. One process at a time may use a directory.
//
// Conditions are exact by construction: what SQL can decide exactly is decided there, the rest by filter.Compile on
// the decoded document, as everywhere else.
package sqlite
