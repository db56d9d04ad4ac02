// Package oncall knows who is on call: by rotations with hand-overs at the clocks of a zone, by an iCalendar file, by
// stand-ins that people name, or by whoever is told while nobody is.
//
// A schedule is asked for an instant and gives one person. Its parts are asked in order, and the first that has somebody
// answers: stand-ins (the one named last first), the calendar, the rotations in their order. All reckoning with days and
// hours is done on the clock on the wall of the schedule's zone. A hand-over is at the first instant at which that clock
// has reached its hour: where the clock is put back, the hour that comes twice changes nobody twice; where it is put
// forward over the hour, the hand-over is at the jump.
//
// It leaves out how people are told.
package oncall
