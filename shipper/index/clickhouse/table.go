package clickhouse

import (
	"fmt"
	"strings"

	"imwatch/event"
)

// column is one column of events that a field of the contract has.
type column struct {
	field event.Field
	name  string
	sql   string // type and default
}

// columns gives the fields that have a column: event.action is event_action. Dots in names would be ClickHouse's
// nested columns, whose arrays must be of one length.
func columns() []column {
	var all []column
	for _, f := range event.Fields() {
		if f.Group != event.AlertGroup {
			all = append(all, column{f, strings.ReplaceAll(strings.TrimPrefix(f.Name, "@"), ".", "_"), typeOf(f)})
		}
	}
	return all
}

// typeOf gives a field's type. Text that is absent is empty; numbers may be absent.
func typeOf(f event.Field) string {
	switch f.ID {
	case event.FieldTimestamp:
		return "DateTime64(9, 'UTC') CODEC(Delta, ZSTD)"
	case event.FieldSampleWeight:
		return "Float64 DEFAULT 1"
	}
	switch f.Type {
	case event.Long:
		return "Nullable(Int64)"
	case event.Float:
		return "Nullable(Float64)"
	case event.Bool:
		return "Nullable(Bool)"
	case event.Date:
		return "Nullable(DateTime64(9, 'UTC'))"
	case event.Keyword, event.Text, event.IP, event.GeoPoint, event.Flattened:
	}
	switch {
	case f.List:
		return "Array(LowCardinality(String))"
	case f.Type == event.Keyword && !strings.HasSuffix(f.Name, ".id") && f.ID != event.FieldURLPath:
		return "LowCardinality(String)"
	}
	return "String CODEC(ZSTD)"
}

// statements make what is missing: the database, the tables, and columns that a later version has more.
func (c Config) statements() []string {
	const settings = " SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1"
	own := []string{
		"class LowCardinality(String)", "extra String CODEC(ZSTD)",
		"kafka_topic LowCardinality(String)", "kafka_partition UInt32", "kafka_offset UInt64 CODEC(Delta, ZSTD)",
	}
	var defs, later []string
	for _, col := range columns() {
		defs = append(defs, col.name+" "+col.sql)
		later = append(later, "ADD COLUMN IF NOT EXISTS "+col.name+" "+col.sql)
	}
	var ttl []string
	for _, class := range event.Classes() { // a day goes as a whole, as in Elasticsearch
		ttl = append(ttl, fmt.Sprintf("toDateTime(timestamp) + INTERVAL %d DAY DELETE WHERE class = '%s'", class.Days+1, class.Name))
	}
	db := c.Database
	return []string{
		"CREATE DATABASE IF NOT EXISTS " + db,
		"CREATE TABLE IF NOT EXISTS " + db + ".events (" + strings.Join(append(defs, own...), ", ") + ") ENGINE = " + c.Engine +
			" PARTITION BY toDate(timestamp) ORDER BY (event_dataset, event_action, timestamp, event_id) TTL " + strings.Join(ttl, ", ") + settings,
		"ALTER TABLE " + db + ".events " + strings.Join(later, ", "),
		"CREATE TABLE IF NOT EXISTS " + db + ".dead_letters (timestamp DateTime64(9, 'UTC'), id String, stage LowCardinality(String), reason LowCardinality(String), letter String CODEC(ZSTD), " +
			strings.Join(own[2:], ", ") + ") ENGINE = " + c.Engine + " PARTITION BY toDate(timestamp) ORDER BY (timestamp, id)" + settings,
		"CREATE TABLE IF NOT EXISTS " + db + ".chunks (topic String, partition UInt32, first UInt64, last UInt64, at DateTime64(9, 'UTC') DEFAULT now64(9)) ENGINE = " +
			strings.Replace(c.Engine, "Replacing", "", 1) + " ORDER BY (topic, partition, first, at)" + settings,
	}
}
