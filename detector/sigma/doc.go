// Package sigma turns Sigma rules, correlations included, into rules of ours.
//
// A detection becomes where; a correlation becomes threshold (event_count), cardinality (value_count), metric (value_sum,
// value_avg, value_percentile, value_median) or sequence (temporal_ordered). What our types cannot express is refused with
// the place in the Sigma file, what was found there, why it cannot be, and what can; nothing is approximated in silence.
// The one difference that is let through, with a warning, is that Sigma compares texts without regard to case and KQL on
// keyword fields as written.
package sigma
