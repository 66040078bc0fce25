"""Reads every column of every table of a dataset with pyarrow, DuckDB and polars, and compares the counts of rows."""

import json
import pathlib
import sys

import duckdb
import polars
import pyarrow.parquet

dataset = pathlib.Path(sys.argv[1])
tables = json.loads((dataset / "_dataset.json").read_text())["tables"]
assert tables, "the dataset has tables"
for name, table in tables.items():
    parts = [str(dataset / name / part["file"]) for part in table["parts"]]
    rows = table["rows"]
    arrow = pyarrow.parquet.read_table(parts)
    frame = polars.read_parquet(parts)
    duck = duckdb.sql(f"select * from read_parquet({parts!r})")
    assert arrow.num_rows == rows and frame.height == rows, name
    assert frame.columns == arrow.column_names == duck.columns, name
    fetched = duck.fetchall()
    assert len(fetched) == rows, name
    for at, column in enumerate(arrow.column_names):
        nulls = arrow.column(column).null_count
        assert frame[column].null_count() == nulls, (name, column)
        assert sum(row[at] is None for row in fetched) == nulls, (name, column)
        assert arrow.schema.field(column).metadata[b"doc"], (name, column)
    file = pyarrow.parquet.ParquetFile(parts[0])
    assert file.metadata.row_group(0).column(0).statistics is not None, name
    assert file.metadata.row_group(0).column(0).has_column_index, name
print(len(tables))
