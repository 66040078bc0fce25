#!/usr/bin/env python3
"""Times `tg analyze graph DATASET --metrics fast` on a made snapshot of a million peers, from dataset to report.

    million.py TG DIR [--nodes N] [--arcs N] [--runs N]      needs pyarrow and numpy

DIR gets the dataset, made once. Prints wall clock, processor time and peak memory of each run.
"""
import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BEGAN = 1_764_200_000_000_000_000


def table(out, name, columns):
    (out / name).mkdir(parents=True)
    rows = len(next(iter(columns.values())))
    common = {"run_id": pa.array(["made"] * 1).take(pa.array(np.zeros(rows, np.int32))),
              "file_id": pa.array(np.zeros(rows), pa.uint32()), "line": pa.array(np.arange(rows), pa.uint32())}
    pq.write_table(pa.table({**common, **columns}), out / name / "part-0000.parquet", compression="zstd", row_group_size=131_072)
    return {"rows": rows, "parts": [{"file": "part-0000.parquet", "rows": rows}]}


def texts(value, rows=1):
    return pa.array([value] * rows, pa.string())


def times(values):
    return pa.array(np.asarray(values, np.int64)).cast(pa.timestamp("ns", tz="UTC"))


def make(out, nodes, arcs):
    draw = np.random.default_rng(1)
    # Of a million peers one is an instance: it wrote down whom a crawl found.
    ids = [f"12D3KooW{number:044}" for number in range(nodes)]
    src, dst = np.sort(draw.integers(0, nodes, arcs)), draw.integers(0, nodes, arcs)
    empty = pa.array([[]], pa.map_(pa.string(), pa.string()))
    tables = {
        "runs": table(out, "runs", {
            "plan": texts("crawl"), "case": texts("crawl"), "backend": texts(None), "seed": pa.array([1], pa.uint64()),
            "start_ts": times([BEGAN]), "end_ts": times([BEGAN + 10**9]), "instances": pa.array([1], pa.uint32()),
            "groups": pa.array([1], pa.uint16()), "verdict": texts("passed"), "composition": texts(None), "series_id": texts(None),
            "config": empty, "repeat": pa.array([None], pa.uint32()), "network": texts(None)}),
        "instances": table(out, "instances", {
            "instance": pa.array([0], pa.uint32()), "group": texts("crawler"), "group_seq": pa.array([0], pa.uint32()),
            "peer_idx": pa.array([0], pa.uint32()), "role": texts(None), "dialable": pa.array([None], pa.bool_()), "params": empty,
            "start_ts": times([BEGAN]), "end_ts": times([BEGAN + 10**9]), "outcome": texts("ok"), "as_expected": pa.array([True]),
            "reason": texts(None), "error": texts(None), "exit_code": pa.array([0], pa.int32()), "signal": pa.array([None], pa.int32()),
            "ip": texts(None), "phases": pa.array([[]], pa.map_(pa.string(), pa.int64())), "region": texts(None)}),
        "peers": table(out, "peers", {
            "peer_idx": pa.array(np.arange(nodes), pa.uint32()), "peer_id": pa.array(ids),
            "kad_id": pa.array([draw.bytes(32) for _ in range(nodes)], pa.binary(32)),
            "instance": pa.array(np.zeros(nodes), pa.uint32(), mask=np.arange(nodes) > 0)}),
        "conn_snapshots": table(out, "conn_snapshots", {
            "instance": pa.array(np.zeros(arcs), pa.uint32()), "snapshot": texts("crawl").take(pa.array(np.zeros(arcs, np.int32))),
            "ts": times(np.full(arcs, BEGAN)), "src_idx": pa.array(src, pa.uint32()), "dst_idx": pa.array(dst, pa.uint32())}),
    }
    (out / "_dataset.json").write_text(json.dumps({"format": {"major": 1, "minor": 3}, "tables": tables}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tg")
    parser.add_argument("dir", type=Path)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--arcs", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    if not (args.dir / "_dataset.json").exists():
        make(args.dir, args.nodes, args.arcs)
    for _ in range(args.runs):
        began = time.perf_counter()
        process = subprocess.Popen([args.tg, "analyze", "graph", str(args.dir), "--metrics", "fast", "--format", "json"], stdout=subprocess.PIPE)
        report = json.load(process.stdout)
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        size = report["size"]
        print(f"{size['nodes']:,} nodes, {size['edges']:,} edges: {took:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of processor, "
              f"{used.ru_maxrss / 1024:.0f} MiB resident at the peak, exit {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main()
