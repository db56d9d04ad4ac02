// Package query evaluates rules on what a store holds, with the very engine that evaluates the stream.
//
// A run looks at the time since the run before. Where the rule's type allows it (see prefilter), an
// aggregation over buckets as long as the window finds the keys that can possibly satisfy the condition: no window is
// longer than two neighbouring buckets, so a key whose buckets do not satisfy it even together cannot do so within.
// Only the events of those keys, and of keys of which something is open, are fetched. So the answer is exact, and
// cheap where little happens. For the other types all events of the rule are fetched, each once, and state is kept.
//
// A run either succeeds or changes nothing: what failed is made good by the next one. Documents that arrived late are
// found by event.ingested, and the keys they belong to are evaluated anew from where nothing was going on; what was
// told already is not told again under another name, and what proves to be nothing is resolved.
package query
