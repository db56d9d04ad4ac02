// Package flap knows which alerts fire again and again, so that people are told so once and not each time.
//
// What flaps is a rule's key: each of its alerts is a spell of its own. The firing that makes it flap is told, with a word
// about that; those that follow are held until it has been calm for a while. All of it follows from when the spells of
// the last day began, which stand in the store, so every alerter comes to the same at any time.
//
// It leaves out how alerts come to be known, and what holding means.
package flap
