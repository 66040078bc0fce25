#!/usr/bin/env python3
"""Lines of records to Parquet: tg against DuckDB and polars, on one thread each.

    pip install duckdb polars pyarrow
    cargo build --release -p tg-cli && cargo build --release -p tg-collector --features fuzz --example records
    python3 collector/bench/records/compare.py target/release/examples/records [LINES [ROUNDS]]

Each reads the same lines and writes the same columns of the dataset, in row groups of 131,072 rows with zstd at level 1 and
statistics. tg reads them from an archive that does not pack them, in the way in which a collect reads its archive: it also
checks the archive's sums, hashes the file, accounts for each line and writes the other tables that follow (`files`,
`instances`, `runs`). DuckDB and polars are told the schema, and that no line is bad; tg is not. What they wrote is read back
and compared, value by value. Processor time is user and system time of the whole process; that of an interpreter that imports
the library and does nothing is measured too and taken off theirs. Memory is the peak of resident memory, as it is.
"""

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

START = 1_700_000_000_000_000_000
ROWS = 131_072
KINDS = {"metrics": ("results.out", "metrics"), "samples": ("samples.ndjson", "x_samples")}


def make(kind, lines, path):
    """Writes so many lines; the same each time."""
    dice = random.Random(7)
    peers = ["12D3KooW" + "".join(dice.choices("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", k=44))
             for _ in range(5000)]
    ts = START
    with open(path, "w") as out:
        for line in range(lines):
            ts += 1 + int(dice.random() * 2_000_000)
            if kind == "samples":
                out.write('{"ts":%d,"kind":"transfer","peer":"%s","bytes_in":%d,"bytes_out":%d,"duration_ms":%.3f,'
                          '"rtt_us":%d,"streams":%d,"window":%d,"ok":%s}\n'
                          % (ts, peers[int(dice.random() * 5000)], int(dice.random() * 1e6), int(dice.random() * 1e7),
                             dice.random() * 900, int(dice.random() * 3e5), int(dice.random() * 64),
                             65536 << int(dice.random() * 6), "true" if dice.random() < .97 else "false"))
                continue
            which = dice.random()
            if which < .6:
                out.write('{"ts":%d,"type":"point","name":"time_to_fetch,file_size=%d,latency_ms=%d,role=%s","measures":'
                          '{"value":%d}}\n' % (ts, 1 << int(20 + dice.random() * 8), int(dice.random() * 4) * 50,
                                               "leech" if dice.random() < .7 else "seed", int(dice.random() * 4e9)))
            elif which < .8:
                out.write('{"ts":%d,"type":"counter","name":"dht.rpc.sent","measures":{"count":%d}}\n'
                          % (ts, int(dice.random() * 1e5)))
            else:
                out.write('{"ts":%d,"type":"gauge","name":"runtime.MemStats.HeapAlloc","measures":{"value":%.6f}}\n'
                          % (ts, dice.random() * 1e8))


def duckdb(kind, path, out):
    import duckdb
    if path is None:
        return
    base = duckdb.connect()
    base.execute("SET threads = 1")
    common = "'r1' AS run_id, 1::UINTEGER AS file_id, row_number() OVER ()::UINTEGER AS line, 0::UINTEGER AS instance"
    if kind == "samples":
        columns = ("{ts: 'BIGINT', kind: 'VARCHAR', peer: 'VARCHAR', bytes_in: 'BIGINT', bytes_out: 'BIGINT', "
                   "duration_ms: 'DOUBLE', rtt_us: 'BIGINT', streams: 'BIGINT', \"window\": 'BIGINT', ok: 'BOOLEAN'}")
        select = ("bytes_in, bytes_out, duration_ms, kind, ok, peer, rtt_us, streams, make_timestamp_ns(ts) AS ts, "
                  "\"window\"")
    else:
        columns = "{ts: 'BIGINT', type: 'VARCHAR', name: 'VARCHAR', measures: 'STRUCT(value DOUBLE, count DOUBLE)'}"
        select = """make_timestamp_ns(ts) AS ts, ts - %d AS t_rel_ns, 'results' AS source, split_part(name, ',', 1) AS name,
            name AS raw_name, type, CASE WHEN measures.value IS NULL THEN 'count' ELSE 'value' END AS measure,
            coalesce(measures.value, measures.count) AS value, NULL::VARCHAR AS unit, NULL::TINYINT AS dir,
            map_from_entries(list_transform(str_split(name, ',')[2:],
                lambda tag: struct_pack(k := split_part(tag, '=', 1), v := split_part(tag, '=', 2)))) AS tags""" % start(path)
    base.execute("COPY (SELECT %s, %s FROM read_json('%s', format = 'newline_delimited', columns = %s)) TO '%s' "
                 "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE %d)"
                 % (common, select, path, columns, out, ROWS))


def polars(kind, path, out):
    os.environ["POLARS_MAX_THREADS"] = "1"
    import polars as pl
    if path is None:
        return
    line = pl.col("line").cast(pl.UInt32)
    common = [pl.lit("r1").alias("run_id"), pl.lit(1, pl.UInt32).alias("file_id"), line,
              pl.lit(0, pl.UInt32).alias("instance")]
    ts = pl.col("ts").cast(pl.Datetime("ns", "UTC"))
    if kind == "samples":
        schema = {"ts": pl.Int64, "kind": pl.String, "peer": pl.String, "bytes_in": pl.Int64, "bytes_out": pl.Int64,
                  "duration_ms": pl.Float64, "rtt_us": pl.Int64, "streams": pl.Int64, "window": pl.Int64, "ok": pl.Boolean}
        columns = ["bytes_in", "bytes_out", "duration_ms", "kind", "ok", "peer", "rtt_us", "streams", ts, "window"]
    else:
        schema = {"ts": pl.Int64, "type": pl.String, "name": pl.String,
                  "measures": pl.Struct({"value": pl.Float64, "count": pl.Float64})}
        value, count = pl.col("measures").struct.field("value"), pl.col("measures").struct.field("count")
        tag = pl.element().str.split_exact("=", 1).struct.rename_fields(["key", "value"])
        columns = [ts, (pl.col("ts") - start(path)).alias("t_rel_ns"), pl.lit("results").alias("source"),
                   pl.col("name").str.split(",").list.first(), pl.col("name").alias("raw_name"), "type",
                   pl.when(value.is_null()).then(pl.lit("count")).otherwise(pl.lit("value")).alias("measure"),
                   pl.coalesce(value, count).alias("value"), pl.lit(None, pl.String).alias("unit"),
                   pl.lit(None, pl.Int8).alias("dir"),
                   pl.col("name").str.split(",").list.slice(1).list.eval(tag).alias("tags")]
    lines = pl.scan_ndjson(path, schema=schema).with_row_index("line", offset=1)
    lines.select(*common, *columns).sink_parquet(out, compression="zstd", compression_level=1, statistics=True,
                                                 row_group_size=ROWS)


def start(path):
    """When the run began, which nobody has to look for: the first line's time."""
    import json
    with open(path) as lines:
        return json.loads(lines.readline())["ts"]


def plain(column):
    """A column as numbers, texts and pairs, however the writer spells its type."""
    import pyarrow as pa
    import pyarrow.compute as pc
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("ns", kind.tz)).cast(pa.int64())
    if pa.types.is_map(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [[tuple(entry.values()) if isinstance(entry, dict) else entry for entry in row] for row in column.to_pylist()]
    if pa.types.is_integer(kind):
        return pc.cast(column, pa.int64())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.large_string())
    return column


def same(outputs):
    """Reads what was written and compares it with the first."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    files = {name: pq.ParquetFile(path) for name, path in outputs.items()}
    (first, own), *others = files.items()
    for name, file in files.items():
        about = file.metadata
        groups = {about.row_group(at).num_rows for at in range(about.num_row_groups - 1)}
        codecs = {about.row_group(0).column(at).compression for at in range(about.num_columns)}
        # DuckDB ends a group where a block of lines ends, a little later.
        uneven = [rows for rows in groups if abs(rows - ROWS) > ROWS // 20]
        if about.num_rows != own.metadata.num_rows or uneven or codecs != {"ZSTD"}:
            sys.exit("%s has %d rows in groups of %s, packed with %s" % (name, about.num_rows, groups, codecs))
    for column in own.schema_arrow.names:
        wanted = plain(own.read([column]).column(column))
        for name, file in others:
            got = plain(file.read([column]).column(column))
            equal = wanted == got if isinstance(wanted, list) else pa.chunked_array(wanted.chunks).equals(
                pa.chunked_array(got.chunks))
            if not equal:
                sys.exit("column `%s` of %s is not that of %s" % (column, name, first))
    extra = {name: set(file.schema_arrow.names) ^ set(own.schema_arrow.names) for name, file in others}
    if any(extra.values()):
        sys.exit("columns differ: %s" % extra)


def cost(command):
    """Wall and processor time in seconds and the peak of resident memory in MiB of a command."""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit("%s ended with %d" % (" ".join(command), child.returncode))
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def part_of(folder, table):
    parts = sorted(os.listdir(os.path.join(folder, table)))
    if len(parts) != 1:
        sys.exit("tg wrote %d files; give fewer lines" % len(parts))
    return os.path.join(folder, table, parts[0])


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--side":
        _, _, side, kind, path, out = sys.argv
        return {"duckdb": duckdb, "polars": polars}[side](kind, path or None, out)
    if len(sys.argv) > 1 and sys.argv[1] == "--same":
        return same(dict(zip(("tg", "duckdb", "polars"), sys.argv[2:])))
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    records = os.path.abspath(sys.argv[1])
    lines = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    base = tempfile.mkdtemp(prefix="tg-bench-records-")
    python = [sys.executable, os.path.abspath(__file__)]
    for kind, (name, table) in KINDS.items():
        path, archive = os.path.join(base, name), os.path.join(base, kind + ".zip")
        subprocess.run(python + ["--make", kind, str(lines), path], check=True)
        size = os.path.getsize(path)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
            out.write(path, "r1/g/0/" + name)
        outputs = {side: os.path.join(base, "%s.%s" % (kind, side)) for side in ("tg", "duckdb", "polars")}
        took = {side: [] for side in outputs}
        idle = {side: cost(python + ["--side", side, kind, "", ""])[1] for side in ("duckdb", "polars")}
        for _ in range(rounds):
            shutil.rmtree(outputs["tg"], ignore_errors=True)
            took["tg"].append(cost([records, archive, "r1", outputs["tg"], "1"]))
            for side in ("duckdb", "polars"):
                took[side].append(cost(python + ["--side", side, kind, path, outputs[side]]))
        outputs["tg"] = part_of(outputs["tg"], table)
        subprocess.run(python + ["--same", *outputs.values()], check=True)
        print("%s: %d lines, %.0f MB, %.0f bytes a line; read back equal" % (kind, lines, size / 1e6, size / lines))
        median = {}
        for side, costs in took.items():
            wall, cpu, mib = (statistics.median(cost[at] for cost in costs) for at in range(3))
            median[side] = (cpu - idle.get(side, 0), mib)
            print("  %-7s %6.2f s wall, %6.2f s of processor (%.2f s of it to start), %5.0f MB/s per core, %5.0f MiB, "
                  "%.1f MB written" % (side, wall, cpu, idle.get(side, 0), size / 1e6 / median[side][0], mib,
                                       os.path.getsize(outputs[side]) / 1e6))
        best = min(("duckdb", "polars"), key=lambda side: median[side][0])
        print("  %s / tg: %.2f per core; memory tg / %s: %.2f" % (
            best, median[best][0] / median["tg"][0], best, median["tg"][1] / median[best][1]), flush=True)
    shutil.rmtree(base)


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "--make":
        make(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main()
