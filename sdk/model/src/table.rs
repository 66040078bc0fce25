//! The tables of a dataset: the border between the collector, which writes them as Parquet, and whoever reads them.
//!
//! Every table also has the columns of [`COMMON`], first and in that order. A table that a run has no data for is
//! absent. Columns whose name ends in `_ns` are nanoseconds, in `_bytes` bytes, in `_ratio` a share of 1.

/// The version of the dataset's tables. A reader accepts the same major version.
pub const DATASET_FORMAT: crate::run::Format = crate::run::Format { major: 1, minor: 0 };

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name, and that of its folder.
    pub name: &'static str,
    /// What a row is.
    pub doc: &'static str,
    /// Its columns after the common ones.
    pub columns: &'static [Column],
    /// The columns that the rows are sorted by, in order.
    pub sort: &'static [&'static str],
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Whether a value may be absent.
    pub nullable: bool,
    /// What it means.
    pub doc: &'static str,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, UTF-8.
    Text,
    /// True or false.
    Bool,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 8 bits.
    I8,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// A float of 32 bits.
    F32,
    /// A float of 64 bits.
    F64,
    /// A moment: nanoseconds since the epoch, UTC.
    Time,
    /// 32 bytes: a place in the keyspace.
    Kad,
    /// Bytes of any length.
    Bytes,
    /// Text by text.
    TextMap,
    /// Signed 64-bit numbers by text.
    I64Map,
    /// A list of unsigned 32-bit numbers.
    U32List,
}

const fn must(name: &'static str, kind: Kind, doc: &'static str) -> Column {
    Column { name, kind, nullable: false, doc }
}

const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Column {
    Column { name, kind, nullable: true, doc }
}

/// The first columns of every table.
///
/// `file_id` and `line` say where a row came from; a row that stands for a whole file, or for what the run itself
/// knows, has line 0.
pub const COMMON: &[Column] = &[
    must("run_id", Kind::Text, "The run."),
    must(
        "file_id",
        Kind::U32,
        "The file that the row came from, from 1: `files.file_id`; 0 for what the run itself knows.",
    ),
    must("line", Kind::U32, "The line in that file, from 1; 0 where the row stands for the whole file."),
];

const INSTANCE: Column = must("instance", Kind::U32, "The instance: `instances.instance`.");
const TS: Column = must("ts", Kind::Time, "When.");
const T_REL: Column = must("t_rel_ns", Kind::I64, "Nanoseconds since the run began.");

/// `runs`: the run itself.
pub const RUNS: Table = Table {
    name: "runs",
    doc: "One row: the run itself.",
    columns: &[
        may("plan", Kind::Text, "The plan."),
        may("case", Kind::Text, "The case."),
        may("backend", Kind::Text, "The backend."),
        may("seed", Kind::U64, "The run's seed."),
        may("start_ts", Kind::Time, "When it began."),
        may("end_ts", Kind::Time, "When it ended."),
        must("instances", Kind::U32, "How many instances."),
        must("groups", Kind::U16, "How many groups."),
        must("verdict", Kind::Text, "passed, failed, cancelled or unknown."),
        may("composition", Kind::Text, "The composition's text after its template was filled in."),
        may("series_id", Kind::Text, "The first run of the command that made this run."),
        must("config", Kind::TextMap, "What the matrix varied, and the run of the composition."),
        may("repeat", Kind::U32, "The number of the repeat, from 0."),
    ],
    sort: &[],
};

/// `instances`: one row per instance.
pub const INSTANCES: Table = Table {
    name: "instances",
    doc: "One row per instance of the run, also of those that wrote nothing.",
    columns: &[
        must("instance", Kind::U32, "The number of the instance in the run, from 0: groups by name, then index."),
        must("group", Kind::Text, "Its group."),
        must("group_seq", Kind::U32, "Its number in the group, from 0."),
        may("peer_idx", Kind::U32, "Its peer: `peers.peer_idx`."),
        may("role", Kind::Text, "server, client, bootstrapper, honest, attacker, or the plan's own word."),
        may("dialable", Kind::Bool, "Whether others can dial it."),
        must("params", Kind::TextMap, "Its parameters."),
        may("start_ts", Kind::Time, "When it began."),
        may("end_ts", Kind::Time, "When it ended."),
        must("outcome", Kind::Text, "How it ended: the closed list of outcomes."),
        may("as_expected", Kind::Bool, "Whether the composition expected that; null for a run that tg did not run."),
        may("reason", Kind::Text, "The outcome's reason in words."),
        may("error", Kind::Text, "The plan's own words about its failure."),
        may("exit_code", Kind::I32, "The exit code, if it ended with one."),
        may("signal", Kind::I32, "The signal that ended it, if one did."),
        may("ip", Kind::Text, "Its address on the data network."),
    ],
    sort: &["instance"],
};

/// `peers`: one row per peer id.
pub const PEERS: Table = Table {
    name: "peers",
    doc: "One row per peer id that occurs anywhere in the run.",
    columns: &[
        must("peer_idx", Kind::U32, "The number of the peer in the run, from 0, in the order of the ids."),
        must("peer_id", Kind::Text, "The id in its one normal form (base58 of the multihash where it is one)."),
        may("kad_id", Kind::Kad, "Its place in the keyspace: SHA-256 of the multihash's bytes."),
        may("instance", Kind::U32, "The instance that is this peer; null for a foreign one."),
    ],
    sort: &["peer_idx"],
};

/// `events`: what instances said of themselves.
pub const EVENTS: Table = Table {
    name: "events",
    doc: "One row per event of an instance: start, message, success, failure, crash, stage.",
    columns: &[
        INSTANCE,
        may("ts", Kind::Time, "When; absent where the SDK gives no time."),
        may("t_rel_ns", Kind::I64, "Nanoseconds since the run began."),
        must("kind", Kind::Text, "start, message, success, failure, crash, stage_start or stage_end."),
        may("stage", Kind::Text, "The stage's name."),
        may("message", Kind::Text, "The message's text."),
        may("error", Kind::Text, "The error's text."),
        may("stacktrace", Kind::Text, "The stack trace."),
    ],
    sort: &["instance", "file_id", "line"],
};

/// `metrics`: one row per measure of a record.
pub const METRICS: Table = Table {
    name: "metrics",
    doc: "One row per measure of a metric record (long form). Aggregates repeat: take the last of an instance.",
    columns: &[
        INSTANCE,
        TS,
        T_REL,
        must("source", Kind::Text, "results, diagnostics or run: the file's kind."),
        must("name", Kind::Text, "The metric's name without tags."),
        must("raw_name", Kind::Text, "The name as written."),
        must("type", Kind::Text, "point, counter, gauge, ewma, histogram, meter or timer."),
        must("measure", Kind::Text, "value, count, rate, p95, …"),
        must("value", Kind::F64, "The value."),
        may("unit", Kind::Text, "Its unit."),
        may("dir", Kind::I8, "-1: lower is better; 1: higher is better."),
        must("tags", Kind::TextMap, "Tags that stood in the name."),
    ],
    sort: &["instance", "file_id", "line", "measure"],
};

/// `queries`: one row per lookup.
pub const QUERIES: Table = Table {
    name: "queries",
    doc: "One row per lookup or other DHT operation.",
    columns: &[
        must("query_id", Kind::U64, "The number of the lookup in the run, from 0."),
        may("lookup", Kind::Text, "The lookup's own id as written."),
        INSTANCE,
        must("op", Kind::Text, "find_peer, get_closest_peers, provide, find_providers, put, get, bootstrap, …"),
        may("tag", Kind::Text, "The plan's tag."),
        may("target", Kind::Text, "The target as text."),
        may("target_kad", Kind::Kad, "The target's place in the keyspace."),
        may("key_group", Kind::Text, "The kind of target, such as the providers' group."),
        may("round", Kind::I32, "The number of the round."),
        may("start_ts", Kind::Time, "When it began."),
        may("end_ts", Kind::Time, "When it ended; absent if it never did."),
        may("duration_ns", Kind::I64, "From begin to end."),
        may("first_result_ns", Kind::I64, "From begin to the first result."),
        may("last_result_ns", Kind::I64, "From begin to the last result."),
        must("status", Kind::Text, "done, fail, incomplete or error."),
        may("term_reason", Kind::Text, "Why it ended: completed, starvation, stopped, cancelled."),
        may("results_found", Kind::U32, "Results found."),
        may("results_expected", Kind::U32, "Results that there should have been."),
        may("requests", Kind::U32, "Requests sent."),
        may("responses", Kind::U32, "Answers received."),
        may("dials", Kind::U32, "Dials."),
        may("dial_failures", Kind::U32, "Dials that failed."),
        may("rpc_failures", Kind::U32, "Requests that failed after a connection."),
        may("unreachable", Kind::U32, "Peers that could not be reached or did not answer."),
        may("peers_heard", Kind::U32, "Distinct peers heard of."),
        may("total_hops", Kind::U16, "The largest hop of a peer that answered."),
        may("hops_for_closest", Kind::U16, "The largest hop at which a peer of the final closest set was heard of."),
        may("hops_first_result", Kind::U16, "The hop of the first result."),
        may("cpl_start", Kind::U16, "Common prefix with the target at the begin, in bits."),
        may("cpl_end", Kind::U16, "Common prefix with the target at the end, in bits."),
        must("closest_idx", Kind::U32List, "The final closest set, nearest first: `peers.peer_idx`."),
        must("id_quality", Kind::Text, "own (an id was written), gap_split (split at gaps) or metric_only."),
    ],
    sort: &["query_id"],
};

/// `query_events`: one row per step of a lookup.
pub const QUERY_EVENTS: Table = Table {
    name: "query_events",
    doc: "One row per step of a lookup.",
    columns: &[
        must("query_id", Kind::U64, "The lookup: `queries.query_id`."),
        must("seq", Kind::U32, "The number of the step in the lookup, from 0."),
        TS,
        must("kind", Kind::Text, "start, dial, dial_error, send, receive, error, adding, result or terminate."),
        may("peer_idx", Kind::U32, "The peer."),
        may("source_idx", Kind::U32, "Who told us of this peer."),
        may("cause_idx", Kind::U32, "Whose answer led to this step."),
        may("hop", Kind::U16, "The peer's hop in the lookup's tree."),
        may("cpl", Kind::U16, "Common prefix of the peer with the target, in bits."),
        may("n_closer", Kind::U16, "How many peers the answer held."),
        must("closer_idx", Kind::U32List, "The peers in the answer."),
        may("rtt_ns", Kind::I64, "From the request to the answer."),
        may("error", Kind::Text, "The error's text."),
        may("value", Kind::Text, "The result's value, if it is text."),
    ],
    sort: &["query_id", "seq"],
};

/// `connections`: one row per connection as its observer saw it.
pub const CONNECTIONS: Table = Table {
    name: "connections",
    doc: "One row per connection, as one end saw it.",
    columns: &[
        must("instance", Kind::U32, "The instance that saw it: `instances.instance`."),
        must("local_idx", Kind::U32, "Its own peer: `peers.peer_idx`."),
        must("remote_idx", Kind::U32, "The other peer: `peers.peer_idx`."),
        must("direction", Kind::U8, "0 unknown, 1 in, 2 out."),
        may("open_ts", Kind::Time, "When it opened."),
        may("close_ts", Kind::Time, "When it closed; absent if it was open at the end."),
        must("open_known", Kind::Bool, "False where the opening was not seen."),
        may("transport", Kind::Text, "tcp, quic, …"),
        may("addr", Kind::Text, "The remote address."),
        may("relayed", Kind::Bool, "Whether it goes through a relay."),
        may("close_reason", Kind::Text, "Why it closed."),
    ],
    sort: &["instance", "file_id", "line"],
};

/// `conn_events`: the lines that `connections` is made of.
pub const CONN_EVENTS: Table = Table {
    name: "conn_events",
    doc: "One row per line that told of a connection's opening or closing; `connections` joins the two.",
    columns: &[
        INSTANCE,
        TS,
        must("kind", Kind::Text, "open or close."),
        must("conn", Kind::Text, "The connection's own id as written."),
        may("local_idx", Kind::U32, "Its own peer: `peers.peer_idx`."),
        must("remote_idx", Kind::U32, "The other peer: `peers.peer_idx`."),
        must("direction", Kind::U8, "0 unknown, 1 in, 2 out."),
        may("transport", Kind::Text, "tcp, quic, …"),
        may("addr", Kind::Text, "The remote address."),
        may("relayed", Kind::Bool, "Whether it goes through a relay."),
        may("reason", Kind::Text, "Why it closed."),
    ],
    sort: &["instance", "conn", "file_id", "line"],
};

/// `peer_facts`: what instances said of themselves and of other peers.
pub const PEER_FACTS: Table = Table {
    name: "peer_facts",
    doc: "One row per line in which an instance told a fact about a peer, most often about itself.",
    columns: &[
        INSTANCE,
        TS,
        must("peer_idx", Kind::U32, "The peer: `peers.peer_idx`."),
        must("me", Kind::Bool, "Whether it is the instance itself."),
        may("role", Kind::Text, "server, client, bootstrapper, honest, attacker, or the plan's own word."),
        may("dialable", Kind::Bool, "Whether others can dial it."),
        may("kad", Kind::Text, "Its place in the keyspace as written."),
        must("addrs", Kind::Text, "Its addresses, separated by spaces."),
    ],
    sort: &["instance", "file_id", "line"],
};

/// `rt_dumps`: the lines that held a whole routing table.
pub const RT_DUMPS: Table = Table {
    name: "rt_dumps",
    doc: "One row per line that held a whole routing table, an empty one included; its entries are in `routing_table`.",
    columns: &[
        INSTANCE,
        TS,
        must("snapshot", Kind::Text, "The snapshot's label."),
        must("owner_idx", Kind::U32, "Whose table: `peers.peer_idx`."),
        must("entries", Kind::U32, "How many entries it had."),
    ],
    sort: &["instance", "file_id", "line"],
};

/// `run_events`: what the runner said.
pub const RUN_EVENTS: Table = Table {
    name: "run_events",
    doc: "One row per event of the run itself, as the runner wrote it.",
    columns: &[
        may("instance", Kind::U32, "The instance that it is about."),
        must("seq", Kind::U64, "Its number in the run, from 1."),
        TS,
        T_REL,
        must("type", Kind::Text, "run_started, instance_finished, barrier_reached, …"),
        must("text", Kind::Text, "The event as JSON."),
    ],
    sort: &["file_id", "line"],
};

/// `copies`: lines that say again what another file says.
pub const COPIES: Table = Table {
    name: "copies",
    doc: "One row per line of stdout.log that stands in run.out as well: the record is a row of its table once, under run.out.",
    columns: &[
        INSTANCE,
        must("of_file_id", Kind::U32, "The file that the row of the record names: `files.file_id`."),
        must("of_line", Kind::U32, "The line there."),
    ],
    sort: &["instance", "file_id", "line"],
};

/// `conn_snapshots`: connections at labelled moments.
pub const CONN_SNAPSHOTS: Table = Table {
    name: "conn_snapshots",
    doc: "One row per connection of a labelled snapshot, dialler to listener.",
    columns: &[
        INSTANCE,
        must("snapshot", Kind::Text, "The snapshot's label."),
        TS,
        must("src_idx", Kind::U32, "The dialler: `peers.peer_idx`."),
        must("dst_idx", Kind::U32, "The listener: `peers.peer_idx`."),
    ],
    sort: &["snapshot", "src_idx", "dst_idx", "file_id", "line"],
};

/// `routing_table`: entries of routing tables at labelled moments.
pub const ROUTING_TABLE: Table = Table {
    name: "routing_table",
    doc: "One row per entry of a routing table in a labelled snapshot.",
    columns: &[
        INSTANCE,
        must("snapshot", Kind::Text, "The snapshot's label."),
        TS,
        must("owner_idx", Kind::U32, "Whose table: `peers.peer_idx`."),
        must("entry_idx", Kind::U32, "The entry: `peers.peer_idx`."),
        may("cpl", Kind::U16, "Common prefix of the two, in bits."),
        may("bucket", Kind::U16, "The bucket as the implementation numbers it."),
        may("added_ts", Kind::Time, "When it was added."),
        may("last_useful_ts", Kind::Time, "When it was last of use."),
    ],
    sort: &["snapshot", "owner_idx", "entry_idx", "file_id", "line"],
};

/// `rt_events`: changes of routing tables.
pub const RT_EVENTS: Table = Table {
    name: "rt_events",
    doc: "One row per change of a routing table, or per refresh of one of its buckets.",
    columns: &[
        INSTANCE,
        TS,
        must("kind", Kind::Text, "added, removed, updated, refresh, or nothing for a change without a peer."),
        may("peer_idx", Kind::U32, "The peer: `peers.peer_idx`."),
        may("cpl", Kind::U16, "The bucket that was refreshed, as a common prefix in bits."),
        may("skipped", Kind::Bool, "Whether the refresh was skipped."),
        may("score", Kind::F64, "The peer's score in the table."),
    ],
    sort: &["instance", "file_id", "line"],
};

/// `gcp_results`: what a plan itself said of its search for the closest peers.
pub const GCP_RESULTS: Table = Table {
    name: "gcp_results",
    doc: "One row per search for the closest peers that a plan judged itself.",
    columns: &[
        INSTANCE,
        TS,
        may("target", Kind::Text, "The target as text."),
        may("target_kad", Kind::Kad, "The target's place in the keyspace."),
        must("found_idx", Kind::U32List, "The peers that were found: `peers.peer_idx`."),
        must("actual_idx", Kind::U32List, "The peers that the plan knew to be nearest: `peers.peer_idx`."),
        must("scores", Kind::Text, "The plan's scores as a JSON array: true rank minus place."),
    ],
    sort: &["instance", "file_id", "line"],
};

/// `logs`: lines that are no record.
pub const LOGS: Table = Table {
    name: "logs",
    doc: "One row per line of text: what instances printed, and text files that no rule knows.",
    columns: &[
        INSTANCE,
        must("file", Kind::Text, "The file's name below the instance's folder."),
        may("ts", Kind::Time, "When, if the line says so."),
        may("level", Kind::Text, "The level, if the line says so."),
        must("text", Kind::Text, "The line."),
    ],
    sort: &["instance", "file_id", "line"],
};

/// `files`: every file of the run and what became of its lines.
pub const FILES: Table = Table {
    name: "files",
    doc: "One row per file. `lines` = `mapped` + `logged` + `noted` for text; binary files have no lines.",
    columns: &[
        may("instance", Kind::U32, "The instance that wrote it; null for the run's own files."),
        must("path", Kind::Text, "Its path in the archive, without the run's id."),
        must("size_bytes", Kind::U64, "Its size."),
        must("sha256", Kind::Text, "SHA-256 of its bytes, hexadecimal."),
        must("kind", Kind::Text, "How it was read: the rule's name, text, run; binary and document have no lines."),
        must("lines", Kind::U64, "Lines counted, a last one without line feed included."),
        must("mapped", Kind::U64, "Lines that became rows of tables."),
        must("logged", Kind::U64, "Lines that became rows of logs."),
        must("noted", Kind::U64, "Lines that became notes."),
    ],
    sort: &["file_id"],
};

/// `notes`: what could not be read, and what was odd.
pub const NOTES: Table = Table {
    name: "notes",
    doc: "One row per line that could not be read, file that could not be fetched, or oddity of the run.",
    columns: &[
        may("instance", Kind::U32, "The instance; null where it concerns the run."),
        must("path", Kind::Text, "The file's path in the archive, without the run's id; empty where there is none."),
        must("reason", Kind::Text, "A short fixed word."),
        must("text", Kind::Text, "The details, or the line up to a limit."),
    ],
    sort: &["file_id", "line", "reason"],
};

/// Every table that has a fixed shape.
pub const ALL: &[Table] = &[
    RUNS,
    INSTANCES,
    PEERS,
    EVENTS,
    METRICS,
    QUERIES,
    QUERY_EVENTS,
    CONNECTIONS,
    CONN_EVENTS,
    CONN_SNAPSHOTS,
    ROUTING_TABLE,
    RT_DUMPS,
    RT_EVENTS,
    GCP_RESULTS,
    PEER_FACTS,
    RUN_EVENTS,
    COPIES,
    LOGS,
    FILES,
    NOTES,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_sort_columns_exist() {
        let mut tables = BTreeSet::new();
        for table in ALL {
            assert!(tables.insert(table.name), "{} twice", table.name);
            let mut columns = BTreeSet::new();
            for column in COMMON.iter().chain(table.columns) {
                assert!(columns.insert(column.name), "{}.{} twice", table.name, column.name);
                assert!(column.doc.ends_with(['.', '…']), "{}.{}", table.name, column.name);
            }
            for key in table.sort {
                assert!(columns.contains(key), "{} sorts by {key}", table.name);
            }
        }
    }
}
