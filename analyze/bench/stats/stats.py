#!/usr/bin/env python3
"""The screen of `tg analyze stats` beside DuckDB and polars, which do the same aggregations from the same Parquet.

    stats.py TG DATASET [--runs N] [--threads N]     needs duckdb and polars

Times of tg are those of its whole process; those of the others are of their queries alone, in a process that has
loaded its library. Runs alternate, each in a process of its own, and the median is shown with memory at most.
A number that differs from tg's by more than 1e-9 of it is an error.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import peers


def alone(who, dataset, threads):
    """Answers in this process; prints the time, the memory at most and the answers."""
    import resource

    if who == "duckdb":
        import duckdb  # noqa: F401
    else:
        import polars  # noqa: F401
    began = time.perf_counter()
    answers = getattr(peers, f"{who}_answers")(dataset, threads)
    took = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    json.dump({"took": took, "memory": memory, "answers": {name: [list(row) for row in rows] for name, rows in answers.items()}}, sys.stdout)


def measured(command, threads):
    """Runs a command; its wall time, its memory at most in MiB, and what it printed."""
    environment = os.environ | {"POLARS_MAX_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)}
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    if status:
        sys.exit(f"{command[0]} failed")
    return took, usage.ru_maxrss // 1024, json.loads(text)


def flat(row):
    return [part for one in row for part in (one if isinstance(one, list) else [one])]


def near(a, b):
    if a is None or b is None:
        return a is None and b is None
    return a == b if isinstance(a, str) else math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def screen(report):
    """What tg says, as rows in the shape of the peers' answers."""
    pick = lambda table, columns: [[row[column] for column in columns] for row in report[table]]
    times = [f"{time}_{share}_ns" for time in ("duration", "first_result", "last_result") for share in ("p50", "p95", "p99")]
    efforts = [f"{effort}_{of}" for effort in peers.EFFORTS for of in ("n", "mean", "p95")]
    operations = pick("operations", ["op", "group", "key_group", "n", "done", "no_time", "negative_time", *times, *efforts])
    metrics = ["source", "name", "type", "measure", "unit", "group", "n", "mean", "sd", "min", "p50", "p95", "p99", "max"]
    return {
        "operations": operations,
        "failed": pick("failed_operations", ["op", "status", "reason", "n", "instances", "no_time"]),
        "hurtful": pick("hurtful_peers", ["peer", "lookups", "dial_errors", "request_errors"]),
        "slow": pick("slow_instances", ["n", "p50_ns", "p95_ns"]),
        "metrics": pick("metrics", metrics),
    }


def check(who, found, answers):
    """Holds the answers against the screen, row by row in one order."""
    theirs = {name: [flat(row) for row in rows] for name, rows in answers.items()}
    theirs["operations"] = [row[:7] + row[9:] for row in theirs["operations"]]
    theirs["slow"] = [[row[1], *row[3:]] for row in theirs["slow"]]
    # Without direction, rows and instances, which stand in other columns of tg's.
    theirs["metrics"] = [row[:5] + row[6:7] + row[9:] for row in theirs.pop("points") + theirs.pop("last")]
    order = lambda row: tuple("" if one is None else str(one) for one in row[:6])
    for name, rows in found.items():
        ours, other = sorted(rows, key=order), sorted(theirs[name], key=order)
        if len(ours) != len(other):
            sys.exit(f"{who}: {len(other)} rows of {name}, tg has {len(ours)}")
        for a, b in zip(ours, other):
            if not all(near(x, y) for x, y in zip(a, b, strict=True)):
                sys.exit(f"{who} differs in {name}:\n  {a}\n  {b}")


def main():
    if len(sys.argv) == 5 and sys.argv[1] == "--alone":
        return alone(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tg", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--tg-args", default="", help="more flags of tg, such as '--memory-limit 1GiB'")
    args = parser.parse_args()
    tg, dataset = args.tg.resolve(), args.dataset.resolve()
    ask = [tg, "analyze", "stats", dataset, "--all-metrics", "--format", "json", *args.tg_args.split()]
    took, memory = {}, {}
    for number in range(args.runs):
        wall, most, report = measured(ask, args.threads)
        took.setdefault("tg", []).append(wall)
        memory.setdefault("tg", []).append(most)
        for who in ("duckdb", "polars"):
            _, _, one = measured([sys.executable, __file__, "--alone", who, dataset, str(args.threads)], args.threads)
            took.setdefault(who, []).append(one["took"])
            memory.setdefault(who, []).append(one["memory"])
            if number == 0:
                check(who, screen(report), one["answers"])
    base = statistics.median(took["tg"])
    print(f"{'':8} {'median':>8} {'least':>8} {'greatest':>9} {'to tg':>7} {'memory':>9}")
    for who, times in took.items():
        median = statistics.median(times)
        print(f"{who:8} {median:6.2f} s {min(times):6.2f} s {max(times):7.2f} s {median / base:7.2f} {max(memory[who]):5} MiB")


main()
