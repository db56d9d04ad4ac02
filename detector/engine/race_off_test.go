//go:build !race

package engine_test

const raceBytes = 0
