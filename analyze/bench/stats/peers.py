"""The aggregations of the screen of `tg analyze stats`, by DuckDB and by polars: each answers all of them from the
same Parquet, in as few passes as its queries allow, and gives rows that can be held against tg's own."""
from pathlib import Path

KEYS = ["source", "name", "type", "measure", "unit", "dir"]
TIMES = ["duration_ns", "first_result_ns", "last_result_ns"]
EFFORTS = ["total_hops", "hops_for_closest", "requests", "dials"]
SHARES = [0.5, 0.95, 0.99]


def duckdb_answers(dataset: Path, threads: int):
    import duckdb

    db = duckdb.connect(config={"threads": threads})
    for table in ["instances", "peers", "queries", "query_events", "metrics"]:
        db.execute(f"create view {table} as from read_parquet('{dataset}/{table}/*.parquet')")
    times = [f"quantile_cont({t}, {SHARES}) filter ({t} >= 0)" for t in TIMES]
    efforts = [f"count({e}), avg({e}), quantile_cont({e}, 0.95)" for e in EFFORTS]
    operations = f"""
        select op, "group", key_group, count(*), count(*) filter (status = 'done'), count(*) filter (duration_ns is null),
               count(*) filter (duration_ns < 0), sum(dials), sum(dial_failures), {", ".join(times + efforts)}
        from queries left join instances using (instance) group by all order by all"""
    failed = """
        select op, status, term_reason, count(*), count(distinct instance), count(*) filter (duration_ns is null)
        from queries where status <> 'done' group by all order by all"""
    hurtful = """
        with worst as (
            select peer_idx, count(distinct query_id) as lookups, count(*) filter (kind = 'dial_error') as dials,
                   count(*) filter (kind = 'error') as requests
            from query_events where kind in ('dial_error', 'error') and peer_idx is not null
            group by peer_idx order by lookups desc, peer_idx limit 5)
        select peer_id, lookups, dials, requests from worst join peers using (peer_idx) order by lookups desc, peer_idx"""
    slow = """
        select instance, count(*), count(*) filter (status = 'done'),
               quantile_cont(duration_ns, [0.5, 0.95]) filter (duration_ns >= 0) as share
        from queries group by instance having share is not null order by share[1] desc, instance limit 5"""
    keys = ", ".join(KEYS)
    finite = "filter (isfinite(value))"
    values = f"""
        {keys}, "group", count(*), count(distinct instance), count(value) {finite}, avg(value) {finite},
        stddev_samp(value) {finite}, min(value) {finite}, quantile_cont(value, {SHARES}) {finite}, max(value) {finite}"""
    points = f"select {values} from metrics left join instances using (instance) where type = 'point' group by all order by all"
    last = f"""
        with last as (select {keys}, raw_name, instance, arg_max(value, (ts, metrics.file_id, metrics.line)) as value
                      from metrics where type <> 'point' group by all)
        select {values} from last left join instances using (instance) group by all order by all"""
    writers = "select count(distinct instance) from metrics"
    asked = {"operations": operations, "failed": failed, "hurtful": hurtful, "slow": slow, "points": points, "last": last, "writers": writers}
    return {name: db.execute(text).fetchall() for name, text in asked.items()}


def polars_answers(dataset: Path, threads: int):
    import polars as pl

    assert pl.thread_pool_size() == threads, "POLARS_MAX_THREADS says how many"
    scan = {t: pl.scan_parquet(f"{dataset}/{t}/*.parquet") for t in ["instances", "peers", "queries", "query_events", "metrics"]}
    c = pl.col
    groups = scan["instances"].select("instance", "group")
    named = lambda frame: frame.join(groups, on="instance", how="left")
    real = lambda t: c(t).filter(c(t) >= 0)
    quantiles = lambda expr, name: [expr.quantile(q, "linear").alias(f"{name}_{q}") for q in SHARES]
    is_done = c("status") == "done"
    operations = named(scan["queries"]).group_by("op", "group", "key_group").agg(
        pl.len().alias("n"), is_done.sum().alias("done"), c("duration_ns").is_null().sum().alias("no_time"),
        (c("duration_ns") < 0).sum().alias("negative"), c("dials").cast(pl.UInt64).sum().alias("all_dials"),
        c("dial_failures").cast(pl.UInt64).sum(), *[q for t in TIMES for q in quantiles(real(t), t)],
        *[x for e in EFFORTS for x in (c(e).count().alias(f"{e}_n"), c(e).mean().alias(f"{e}_mean"), c(e).quantile(0.95, "linear").alias(f"{e}_p95"))])
    failed = scan["queries"].filter(~is_done).group_by("op", "status", "term_reason").agg(
        pl.len().alias("n"), c("instance").n_unique(), c("duration_ns").is_null().sum())
    kind = c("kind")
    hurtful = scan["query_events"].filter(kind.is_in(["dial_error", "error"]) & c("peer_idx").is_not_null()).group_by("peer_idx").agg(
        c("query_id").n_unique().alias("lookups"), (kind == "dial_error").sum().alias("dials"), (kind == "error").sum().alias("requests"))
    hurtful = hurtful.sort(["lookups", "peer_idx"], descending=[True, False]).limit(5).join(scan["peers"], on="peer_idx", maintain_order="left")
    hurtful = hurtful.select("peer_id", "lookups", "dials", "requests")
    slow = scan["queries"].group_by("instance").agg(
        pl.len().alias("n"), is_done.sum().alias("done"), *[real("duration_ns").quantile(q, "linear").alias(f"{q}") for q in SHARES[:2]])
    slow = slow.filter(c("0.5").is_not_null()).sort(["0.5", "instance"], descending=[True, False]).limit(5)
    finite = c("value").filter(c("value").is_finite())
    summary = [pl.len().alias("rows"), c("instance").n_unique().alias("instances"), finite.len().alias("n"), finite.mean().alias("mean"),
               finite.std().alias("sd"), finite.min().alias("min"), *quantiles(finite, "value"), finite.max().alias("max")]
    is_point = c("type") == "point"
    points = named(scan["metrics"].filter(is_point)).group_by(*KEYS, "group").agg(summary)
    last = scan["metrics"].filter(~is_point).group_by(*KEYS, "raw_name", "instance").agg(c("value").sort_by("ts", "file_id", "line").last())
    last = named(last).group_by(*KEYS, "group").agg(summary)
    writers = scan["metrics"].select(c("instance").n_unique())
    asked = {"operations": operations, "failed": failed, "hurtful": hurtful, "slow": slow, "points": points, "last": last, "writers": writers}
    # All at once: what two of them read is read once, and each may use what the other leaves of the processors.
    return {name: frame.rows() for name, frame in zip(asked, pl.collect_all(list(asked.values()), engine=ENGINE))}


ENGINE = "auto"
