// Package shipcrash kills what stands between a log and its documents, at random moments and again and again, while the
// log is written and rotated, and counts afterwards: each line is one record in Kafka and one document in Elasticsearch.
//
//	test/shipcrash.sh [-run TestCrash/kafka]
//
// starts a Kafka and an Elasticsearch of its own for that. ROUNDS says how often each thing is killed.
package shipcrash
