//go:build race

package engine_test

// raceBytes is what the race detector adds to a key: with it small things are not put together.
const raceBytes = 16
