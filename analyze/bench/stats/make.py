#!/usr/bin/env python3
"""Writes a dataset of any size, as `tg collect` lays it out: millions of steps of lookups and of metric rows.

    make.py OUT [STEPS [ROWS]] [--instances N] [--seed N]      needs pyarrow and numpy

STEPS and ROWS are in millions, 10 each unless said. Encodings, row groups and the order of rows are those of the
collector. Values are drawn from distributions with long tails; the same arguments give the same values.
"""
import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

GROUP_ROWS = 131_072
PART_ROWS = 10_000_000
STEADY = ("file_id", "line", "instance", "query_id", "seq")
PLAIN = ("value", "kad_id", "target_kad")
RUN = "20261127-000000000-made"
BEGAN = 1_764_200_000_000_000_000
GROUPS = [("bootstrap", 0.02, "server"), ("clients", 0.2, "client"), ("providers", 0.28, "server"), ("searchers", 0.5, "server")]
FOREIGN = 0.05
# name, unit, which way is better, type, measures, share of the rows
SNAPSHOT = ["count", "max", "mean", "min", "p50", "p75", "p95", "p99", "p999", "p9999", "stddev", "variance"]
METRICS = [
    ("results", "time-to-find-first", "ns", -1, "point", ["value"], 0.12),
    ("results", "time-to-find-last", "ns", -1, "point", ["value"], 0.12),
    ("results", "time-to-find", "ns", -1, "point", ["value"], 0.12),
    ("results", "peers-found", "peers", 1, "point", ["value"], 0.12),
    ("results", "rtt", "ns", -1, "point", ["value"], 0.12),
    ("results", "messages", None, None, "counter", ["count"], 0.06),
    ("results", "answer-time", None, None, "histogram", SNAPSHOT, 0.14),
    ("diagnostics", "heap.alloc", None, None, "gauge", ["value"], 0.08),
    ("diagnostics", "goroutines", None, None, "gauge", ["value"], 0.04),
    ("diagnostics", "bytes-sent", None, None, "meter", ["count", "m1", "m15", "m5", "mean"], 0.08),
]
TAGS = [("status", ["done", "fail", "incomplete"]), ("keys", ["own", "foreign"])]
OPS = [("find_peer", 0.15), ("find_providers", 0.5), ("get_closest_peers", 0.15), ("provide", 0.2)]
STATUS = ["done", "fail", "incomplete", "error"]
REASONS = ["completed", "stopped", "starvation", "cancelled"]
KINDS = ["adding", "dial", "dial_error", "error", "receive", "result", "send", "terminate"]


def words(codes, values):
    """Text by the number of its value; below 0 it is absent."""
    codes = np.asarray(codes, np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(values, pa.string()))


def numbers(values, kind, absent=None):
    return pa.array(np.asarray(values), mask=absent).cast(kind)


def times(values, absent=None):
    return pa.array(np.asarray(values, np.int64), mask=absent).cast(pa.timestamp("ns", tz="UTC"))


def lists(lengths, values):
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, pa.uint32()))


def maps(rows):
    return pa.array(rows, pa.map_(pa.string(), pa.string()))


class Table:
    """A table's folder; rows come in order, and a part ends after so many."""

    def __init__(self, out, name):
        self.dir, self.parts, self.rows, self.waiting, self.writer, self.room = out / name, [], 0, [], None, 0
        self.dir.mkdir(parents=True)

    def add(self, columns):
        n = len(columns["file_id"])
        self.waiting.append(pa.table({"run_id": words(np.zeros(n), [RUN]), **columns}))
        self.rows += n
        if sum(table.num_rows for table in self.waiting) > PART_ROWS // 10:
            self.flush(GROUP_ROWS)

    def flush(self, unit):
        """Writes what waits, as far as it fills groups of so many rows."""
        table = pa.concat_tables(self.waiting).unify_dictionaries()
        full = table.num_rows // unit * unit
        self.waiting = [table.slice(full)]
        if full and not self.room:
            self.open(table.schema)
        if full:
            self.writer.write_table(table.slice(0, full), row_group_size=GROUP_ROWS)
            self.room = max(0, self.room - full)
        if self.writer and not self.room:
            self.writer.close()

    def open(self, schema):
        coded, delta = [], {}
        for field in schema:
            if field.name in STEADY or field.name.endswith(("_ns", "ts")):
                delta[field.name] = "DELTA_BINARY_PACKED"
            elif pa.types.is_map(field.type):
                coded += [f"{field.name}.key_value.key", f"{field.name}.key_value.value"]
            elif pa.types.is_list(field.type):
                coded.append(f"{field.name}.list.element")
            elif field.name not in PLAIN:
                coded.append(field.name)
        name = f"part-{len(self.parts):04}.parquet"
        self.parts.append({"file": name})
        options = {"use_dictionary": coded, "column_encoding": delta, "store_schema": False}
        self.writer = pq.ParquetWriter(self.dir / name, schema, compression="zstd", compression_level=1, **options)
        self.room = PART_ROWS

    def close(self):
        self.flush(1)
        if self.room:
            self.writer.close()
        return {"rows": self.rows, "parts": self.parts}


def world(out, instances):
    """The run, its instances and its peers; the group of each instance."""
    sizes = [max(1, round(share * instances)) for _, share, _ in GROUPS]
    sizes[-1] += instances - sum(sizes)
    group = np.repeat(np.arange(len(GROUPS)), sizes)
    seq = np.concatenate([np.arange(size) for size in sizes])
    n, peers = instances, instances + int(FOREIGN * instances) + 1
    kad = [hashlib.sha256(b"peer %d" % at).digest() for at in range(peers)]
    last = BEGAN + 600 * 10**9
    end = np.full(n, last)
    outcome = np.where(np.arange(n) % 97 == 5, 1, np.where(np.arange(n) % 211 == 7, 2, 0))
    end[outcome == 2] -= 300 * 10**9
    zero, none = np.zeros(n, np.uint32), np.full(n, -1)
    tables = {}

    def one(name, columns):
        table = Table(out, name)
        table.add(columns)
        tables[name] = table.close()

    one("runs", {
        "file_id": numbers([0], pa.uint32()), "line": numbers([0], pa.uint32()),
        "plan": words([0], ["made"]), "case": words([0], ["search"]), "backend": words([0], ["local:exec"]),
        "seed": numbers([1], pa.uint64()), "start_ts": times([BEGAN]), "end_ts": times([last]),
        "instances": numbers([n], pa.uint32()), "groups": numbers([len(GROUPS)], pa.uint16()),
        "verdict": words([0], ["failed"]), "composition": words([-1], [""]), "series_id": words([-1], [""]),
        "config": maps([[]]), "repeat": numbers([0], pa.uint32(), np.array([True])),
    })
    one("instances", {
        "file_id": numbers(zero, pa.uint32()), "line": numbers(zero, pa.uint32()),
        "instance": numbers(np.arange(n), pa.uint32()), "group": words(group, [g[0] for g in GROUPS]),
        "group_seq": numbers(seq, pa.uint32()), "peer_idx": numbers(np.arange(n), pa.uint32()),
        "role": words(group, [g[2] for g in GROUPS]), "dialable": pa.array(group != 1),
        "params": maps([[("k", "20"), ("alpha", "3")]] * n), "start_ts": times(np.full(n, BEGAN)), "end_ts": times(end),
        "outcome": words(outcome, ["ok", "failed", "killed"]), "as_expected": pa.array(outcome == 0),
        "reason": words(np.where(outcome == 0, -1, outcome - 1), ["the plan said so", "signal 9"]),
        "error": words(np.where(outcome == 1, 0, -1), ["no route to host"]),
        "exit_code": numbers(outcome, pa.int32(), outcome == 2), "signal": numbers(np.full(n, 9), pa.int32(), outcome != 2),
        "ip": words(none, [""]), "phases": pa.array([[]] * n, pa.map_(pa.string(), pa.int64())),
    })
    one("peers", {
        "file_id": numbers(np.zeros(peers), pa.uint32()), "line": numbers(np.zeros(peers), pa.uint32()),
        "peer_idx": numbers(np.arange(peers), pa.uint32()), "peer_id": pa.array([f"12D3KooWmade{at:08}" for at in range(peers)]),
        "kad_id": pa.array(kad, pa.binary(32)), "instance": numbers(np.arange(peers), pa.uint32(), np.arange(peers) >= n),
    })
    return group, peers, kad, tables


def lookups(out, draw, steps, group, peers, kad, tables):
    """Lookups by instance, and their steps; about 18 steps each."""
    queries, events = Table(out, "queries"), Table(out, "query_events")
    targets = [hashlib.sha256(b"key %d" % at).digest() for at in range(1000)]
    # Of each key the 22 peers that are nearest; a lookup returns all of these but two.
    far = lambda key, peer: bytes(a ^ b for a, b in zip(key, peer))
    nearest = np.array([sorted(range(peers), key=lambda peer: far(key, kad[peer]))[:22] for key in targets])
    first, done, batch = 0, 0, 50_000
    total = steps // 18
    while done < steps:
        n = min(batch, (steps - done + 17) // 18)
        query = first + np.arange(n)
        instance = (query * len(group) // max(total, 1)).clip(max=len(group) - 1)
        length = draw.integers(8, 29, n)
        if done + length.sum() > steps:
            length = length[: np.searchsorted(np.cumsum(length), steps - done) + 1]
            n, query, instance = len(length), query[: len(length)], instance[: len(length)]
        op = draw.choice(len(OPS), n, p=[share for _, share in OPS])
        status = draw.choice(4, n, p=[0.93, 0.03, 0.03, 0.01])
        took = (draw.lognormal(18.5, 0.9, n) * (1 + group[instance] / 10)).astype(np.int64)
        lost = status == 2
        began = BEGAN + draw.integers(0, 500 * 10**9, n)
        target, hops = draw.integers(0, 1000, n), draw.integers(1, 6, n)
        dials = draw.poisson(3, n)
        line, no = numbers(query + 1, pa.uint32()), np.full(n, -1)
        missed = np.sort(draw.integers([0, 0], [22, 21], (n, 2)), axis=1)
        missed[:, 1] += missed[:, 1] == missed[:, 0]
        is_closest = (np.arange(22) != missed[:, :1]) & (np.arange(22) != missed[:, 1:])
        closest = nearest[target][is_closest]
        nobody = draw.random(n) < 0.01
        queries.add({
            "file_id": numbers(instance + 1, pa.uint32()), "line": line, "query_id": numbers(query, pa.uint64()),
            "lookup": pa.array([f"{at:08x}-made" for at in (query * 2_654_435_761) % 2**32]),
            "instance": numbers(instance, pa.uint32()), "op": words(op, [name for name, _ in OPS]),
            "tag": words(op, ["peer-records", "provider-records", "get-closest-peers", "provider-records"]),
            "target": words(target, [f"Qm{at:044}" for at in range(1000)]),
            "target_kad": pa.array([targets[at] for at in target], pa.binary(32)),
            "key_group": words(np.where(op == 1, target % 2, -1), ["providers", "searchers"]),
            "round": numbers(np.zeros(n), pa.int32()), "start_ts": times(began), "end_ts": times(began + took, lost),
            "duration_ns": numbers(took, pa.int64(), lost), "first_result_ns": numbers(took // 3, pa.int64(), status != 0),
            "last_result_ns": numbers(took // 2, pa.int64(), status != 0), "status": words(status, STATUS),
            "term_reason": words(draw.choice(4, n, p=[0.5, 0.4, 0.07, 0.03]), REASONS),
            "results_found": numbers(np.where(status == 0, 5, 0), pa.uint32()), "results_expected": numbers(np.full(n, 5), pa.uint32()),
            "requests": numbers(length // 2, pa.uint32()), "responses": numbers(length // 3, pa.uint32()),
            "dials": numbers(dials, pa.uint32()), "dial_failures": numbers(draw.binomial(dials, 0.1), pa.uint32()),
            "rpc_failures": numbers(draw.poisson(0.1, n), pa.uint32()), "unreachable": numbers(draw.poisson(0.5, n), pa.uint32()),
            "peers_heard": numbers(20 + length, pa.uint32()), "total_hops": numbers(hops, pa.uint16(), nobody),
            "hops_for_closest": numbers(hops // 2, pa.uint16(), nobody), "hops_first_result": numbers(hops, pa.uint16(), status != 0),
            "cpl_start": numbers(hops, pa.uint16()), "cpl_end": numbers(hops + 4, pa.uint16()),
            "closest_idx": lists(np.full(n, 20), closest), "id_quality": words(np.zeros(n), ["own"]),
        })
        of = np.repeat(np.arange(n), length)
        m = len(of)
        begin = np.concatenate([[0], np.cumsum(length)[:-1]])
        seq = np.arange(m) - begin[of]
        kind = draw.choice(7, m, p=[0.1, 0.12, 0.02, 0.01, 0.35, 0.05, 0.35])
        kind[begin + length - 1] = 7
        # Some peers are asked more often than others, and some of these fail more often.
        peer = (peers * draw.random(m) ** 1.5).astype(np.int64)
        answer = kind == 4
        closer = np.where(answer, draw.integers(0, 9, m), 0)
        took_so_far = took[of] * (seq + 1) // length[of]
        events.add({
            "file_id": numbers(instance[of] + 1, pa.uint32()), "line": numbers(done + np.arange(m) + 1, pa.uint32()),
            "query_id": numbers(query[of], pa.uint64()), "seq": numbers(seq, pa.uint32()), "ts": times(began[of] + took_so_far),
            "kind": words(kind, KINDS), "peer_idx": numbers(peer, pa.uint32(), kind == 7),
            "source_idx": numbers(draw.integers(0, peers, m), pa.uint32(), kind != 6),
            "cause_idx": numbers(np.zeros(m), pa.uint32(), np.ones(m, bool)), "hop": numbers(seq % 5, pa.uint16(), ~answer),
            "cpl": numbers(seq % 12, pa.uint16()), "n_closer": numbers(closer, pa.uint16(), ~answer),
            "closer_idx": lists(closer, draw.integers(0, peers, closer.sum())),
            "rtt_ns": numbers(draw.integers(10**6, 3 * 10**8, m), pa.int64(), ~answer),
            "error": words(np.where((kind == 2) | (kind == 3), 0, -1), ["connection refused"]), "value": words(np.full(m, -1), [""]),
        })
        first, done = first + n, done + m
    tables["queries"], tables["query_events"] = queries.close(), events.close()


def metrics(out, draw, rows, group, tables):
    """Records of every kind of metric by instance; an aggregate is written again and again."""
    table = Table(out, "metrics")
    shares = np.array([share / len(measures) for *_, measures, share in METRICS])
    shares /= shares.sum()
    measures = sorted({measure for *_, of, _ in METRICS for measure in of})
    tags = [f",status={a},keys={b}" for a in TAGS[0][1] for b in TAGS[1][1]]
    raw = [name + tag for _, name, *_ in METRICS for tag in tags + [""]]
    width = np.array([len(of) for *_, of, _ in METRICS])
    counts = np.diff(rows * np.arange(len(group) + 1) // len(group))
    for instance, wanted in enumerate(counts):
        records = int(1.05 * wanted / (shares * width).sum()) + 50
        which = draw.choice(len(METRICS), records, p=shares)
        of = np.repeat(np.arange(records), width[which])[:wanted]
        begin = np.concatenate([[0], np.cumsum(width[which])[:-1]])
        metric, place, n = which[of], np.arange(len(of)) - begin[of], len(of)
        is_point = np.array([kind == "point" for *_, kind, _, _ in METRICS])[metric]
        tag = np.where(is_point, draw.integers(0, len(tags), records)[of], len(tags))
        measure = np.array([measures.index(m) for *_, names, _ in METRICS for m in names])[np.concatenate([[0], np.cumsum(width)[:-1]])[metric] + place]
        value = draw.lognormal(17, 1, n) * (1 + group[instance] / 10)
        value = np.where(metric == 3, draw.integers(0, 6, n), value)
        value[draw.random(n) < 1e-5] = np.nan
        at = of * (600 * 10**9 // records)
        tagged = tag[tag < len(tags)]
        values = np.stack([tagged // len(TAGS[1][1]), len(TAGS[0][1]) + tagged % len(TAGS[1][1])], axis=1).ravel()
        keys = pa.array([name for name, _ in TAGS]).take(pa.array(np.tile([0, 1], len(tagged))))
        values = pa.array([value for _, all in TAGS for value in all]).take(pa.array(values))
        offsets = np.concatenate([[0], np.cumsum(np.where(tag < len(tags), 2, 0))])
        table.add({
            "file_id": numbers(np.full(n, instance + 1), pa.uint32()), "line": numbers(of + 1, pa.uint32()),
            "instance": numbers(np.full(n, instance), pa.uint32()), "ts": times(BEGAN + at), "t_rel_ns": numbers(at, pa.int64()),
            "source": words(np.array([m[0] == "diagnostics" for m in METRICS])[metric], ["results", "diagnostics"]),
            "name": words(metric, [m[1] for m in METRICS]), "raw_name": words(metric * (len(tags) + 1) + tag, raw),
            "type": words(metric, [m[4] for m in METRICS]), "measure": words(measure, measures), "value": pa.array(value),
            "unit": words(np.array([["ns", "peers"].index(m[2]) if m[2] else -1 for m in METRICS])[metric], ["ns", "peers"]),
            "dir": numbers(np.array([m[3] or 0 for m in METRICS])[metric], pa.int8(), np.array([m[3] is None for m in METRICS])[metric]),
            "tags": pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, values),
        })
    tables["metrics"] = table.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("steps", nargs="?", type=float, default=10)
    parser.add_argument("rows", nargs="?", type=float, default=10)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    draw = np.random.default_rng(args.seed)
    group, peers, kad, tables = world(args.out, args.instances)
    lookups(args.out, draw, int(args.steps * 1e6), group, peers, kad, tables)
    metrics(args.out, draw, int(args.rows * 1e6), group, tables)
    about = {"format": {"major": 1, "minor": 1}, "tables": tables}
    (args.out / "_dataset.json").write_text(json.dumps(about))
    for name, table in tables.items():
        print(f"{name}: {table['rows']:,} rows")


if __name__ == "__main__":
    main()
