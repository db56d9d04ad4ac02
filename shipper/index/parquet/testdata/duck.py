"""Runs a query over Parquet files in DuckDB and prints its rows as JSON: duck.py SQL"""
import json
import sys

import duckdb

duckdb.sql("SET TimeZone='UTC'")
rows = duckdb.sql(sys.argv[1])
names = rows.columns
print(json.dumps([dict(zip(names, row)) for row in rows.fetchall()], default=str))
