// Package elastic is the store in an Elasticsearch cluster, through go-elasticsearch's esapi over its transport.
//
// @timestamp is mapped as date, which Elasticsearch keeps in milliseconds; the full precision is in the document. So
// where the server can only say "about", it is asked for all that may match, and hits are judged by filter.Compile as
// everywhere else. The same holds for values that it has not indexed (_ignored), for floats, and for conditions that
// it has no exact query for. What is asked of one Search, Count or Aggregate is asked of one point in time, and an
// answer that lacks a shard is an error.
package elastic
