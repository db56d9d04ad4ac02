package sqlite

import (
	"fmt"
	"strings"

	"imwatch/event"
)

// schema makes the one table of a file. ver is 0 for what was put and a random number for what was swapped; odd marks
// documents of which the hot columns do not tell the whole truth. The hot columns stand before the body, so that
// SQLite need not read the body to test them.
func schema() string {
	var cols strings.Builder
	for _, h := range hotColumns() {
		t := "TEXT"
		if event.FieldByID(h.field).Type == event.Long {
			t = "INTEGER"
		}
		fmt.Fprintf(&cols, "  %s %s,\n", h.name, t)
	}
	return fmt.Sprintf(`BEGIN;
CREATE TABLE docs (
  id TEXT NOT NULL PRIMARY KEY,
  ts INTEGER NOT NULL,
  ingested INTEGER,
  ver INTEGER NOT NULL,
  odd INTEGER NOT NULL,
  weight REAL NOT NULL,
%s  body BLOB NOT NULL
) STRICT;
CREATE INDEX docs_ts ON docs (ts);
CREATE INDEX docs_ingested ON docs (ingested) WHERE ingested IS NOT NULL;
PRAGMA user_version = %d;
COMMIT;`, cols.String(), schemaVersion)
}

// insertInto is the statement that takes the values of row.
func insertInto(conflict string) string {
	n := 7 + len(hotColumns())
	return "INSERT " + conflict + " INTO docs VALUES (" + strings.TrimSuffix(strings.Repeat("?,", n), ",") + ")"
}
