// Package acceptance holds the tests that run the built program as its users do: real processes, real connections,
// real signals. They run in both modes, embedded (one process, nothing else) and cluster (a process a role, on a real
// Kafka and Elasticsearch), with the same code.
//
// Cluster mode needs the servers that test/acceptance.sh starts; without them it is skipped.
package acceptance
