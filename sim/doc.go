// Package sim plays the clients of an instant-messaging service, well-behaved ones and troublemakers, and knows the
// truth about the trouble it makes.
//
// A [Scenario] is a fleet of normal clients and a timeline of troubles. [Run] drives it with real connections against
// a running IM server; [Generate] writes the events that such a fleet would leave in the servers' logs, in fake time
// and repeatable by a seed. Both say what happened as [Label] lines, and [Score] compares those with the alerts that a
// detector raised.
//
// It knows nothing of rules but their names, and never looks at a server from inside.
package sim
