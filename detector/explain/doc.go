// Package explain says why a rule did or did not fire for a key at an instant.
//
// The events are run through the very engine that evaluates the stream, up to the instant; then the key is looked at
// through the condition's own interface, so that every rule type is explained by the same code. Beside it stand the
// events of the key: those that count, and those near that do not, each with the part of the condition that it fails.
package explain
