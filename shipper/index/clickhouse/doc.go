// Package clickhouse brings events into ClickHouse by its HTTP interface: one insert of JSONEachRow for each day of a
// chunk, with a token by which ClickHouse takes it once. Where chunks are cut is laid down in a table of its own.
package clickhouse
