// Package scale says how many members a consumer group should have, and why: from how much waits for it, how much
// arrives, and what its members were seen to handle.
//
// Advisor decides, from samples and their times alone; Watch takes the samples from the bus and shows the advice. Every
// member of a group watches all of it, so all of them say the same.
package scale
