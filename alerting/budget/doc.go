// Package budget keeps in the store how alerters share the calls that a provider allows: one document a budget, the book.
//
// Before a call an alerter writes it into the book, by a conditional write that fails if another one wrote meanwhile. So
// at every moment the book holds all calls that anybody may be making, and nobody makes one too many. An alerter that is
// pressed also writes down a share: calls that nobody else counts on for some minutes, which it may make without the store.
//
// It leaves out how calls are spread over the time, and what becomes of them.
package budget
