// Package kqltest holds a store to what KQL means. It draws queries as people may write them, each with the request
// that Kibana would send to Elasticsearch for the same text, and events that are awkward for some part of the way; then
// the condition in memory, the store's search and, where there is an Elasticsearch, Kibana's own request must select
// the same events.
//
// The requests are made from the drawn tree, never from the text, so that the parser is not judged by itself.
package kqltest
