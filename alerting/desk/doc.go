// Package desk keeps what people say about alerts: silences, acknowledgements, and an audit of who said what. It stands
// in the store, one document each, so that every alerter and every restart knows the same. What another alerter was
// told is known here within the time between two looks of Run.
package desk
