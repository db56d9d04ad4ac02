// Package kql reads KQL, the language of Kibana's search bar, into the neutral conditions of event/filter.
//
// It is typed: the types of fields come from event's table, so a field that does not exist or a value that cannot
// match is an error with its place instead of a condition that is silently false. Read are field:value, quoted
// phrases, wildcards in values and field names, ranges (> >= < <=), lists in parentheses, and/or/not in any case,
// nested parentheses, escapes and field:* for "has the field".
//
// Left out on purpose, each with an error that says so: words without a field, nested objects in braces, and times
// that depend on when one looks (now, date math).
package kql
