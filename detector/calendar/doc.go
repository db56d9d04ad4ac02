// Package calendar says whether an instant lies within the hours of a calendar: office hours with holidays and make-up
// working days, nights, whatever a file describes.
//
// An instant is inside if the clock on the wall of the calendar's zone shows, at that instant, a day and a time that
// the calendar has. So the change of summer time needs no rule of its own: an hour that comes twice is inside twice.
// The zones are part of the program, whatever the machine has.
//
// A Calendar never changes and is safe for concurrent use; a [Cursor] belongs to one goroutine.
package calendar
