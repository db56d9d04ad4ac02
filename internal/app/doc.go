// Package app is the composition root: the only place where adapters meet stages. It holds the configuration of the
// whole, runs one role or all of them in one process, and does what the subcommands of the program do.
//
// It decides nothing about events, rules or alerts: the stages do.
package app
