// Package tail follows log files: it finds them, knows them again across rotation and restarts, and hands out what
// was written to them, in order, each byte once.
//
// A generation is what was written from one creation (or truncation) of a log file to the next. It is recognised by
// its content: the first line and the bytes before the position reached; device and inode are hints only. So it makes
// no difference whether a rotation renames the file or copies and truncates it, under which name the rest turns up,
// or whether an inode is used again. Of several files with the same content one is read.
//
// The package knows nothing of events and keeps nothing on disk: where to go on after a restart is told by the caller,
// who gets a State for every position.
package tail
