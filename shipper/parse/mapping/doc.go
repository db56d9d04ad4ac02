// Package mapping makes events of the contract of the named values of a foreign line, as a list of fields says: which
// value goes where, in which unit, by which table, under which conditions.
//
// Per field of the event the first entry of the list that has a value counts. What no entry takes is kept beside the
// contract's fields, where it can grow no index mapping.
package mapping
