// Package parquet keeps events as Parquet files, for ClickHouse, DuckDB, Spark and whatever else reads that format:
//
//	events/day=2026-11-21/class=error/im.lifecycle-3-<first offset>-<last offset>.parquet
//	deadletters/day=2026-11-21/im.lifecycle-3-<first offset>-<last offset>.parquet
//
// A file is there whole or not at all, and named by the offsets that it was made of: a replay writes the same file
// again. Where chunks are cut lies in _spans, which all indexers of a group must see: they share the directory.
package parquet
