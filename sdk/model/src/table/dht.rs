//! Lookups and routing tables.

use super::{INSTANCE, Kind, TS, Table, may, must};

/// `queries`: one row per lookup.
pub const QUERIES: Table = Table {
    name: "queries",
    doc: "One row per lookup or other DHT operation. Where the DHT plan measured operations of a kind, times, status and results are those of its metrics; a lookup of that kind without a metric is incomplete and has no time.",
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
        may(
            "hops_for_closest",
            Kind::U16,
            "The largest hop at which a peer of the final closest set was heard of; without a set of its own, a lookup has as many of the nearest as the plan's parameter `bucket_size` or `k` says, else 20.",
        ),
        may("hops_first_result", Kind::U16, "The hop of the first result."),
        may("cpl_start", Kind::U16, "Common prefix with the target at the begin, in bits."),
        may("cpl_end", Kind::U16, "Common prefix with the target at the end, in bits."),
        must("closest_idx", Kind::U32List, "The final closest set, nearest first: `peers.peer_idx`."),
        must(
            "id_quality",
            Kind::Text,
            "own (an id was written), gap_split (split at gaps) or metric_only (known only by what the plan said of it as a whole).",
        ),
        may(
            "starved",
            Kind::Bool,
            "Whether its instance starved for a processor at any time while it went on: see `resources.starved`; absent where that was not sampled.",
        ),
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

/// `table_health`: what a plan itself said of its routing table.
pub const TABLE_HEALTH: Table = Table {
    name: "table_health",
    doc: "One row per bucket of a `table health` message, one without a bucket where it names none. Its depths are inconsistent at the source: take common prefixes from `routing_table`.",
    columns: &[
        INSTANCE,
        may("ts", Kind::Time, "When."),
        may("ideal_depth", Kind::I64, "The depth that a table of all known peers would have."),
        may("actual_depth", Kind::I64, "The depth that the table has."),
        may("depth", Kind::I64, "The bucket's depth as the plan counts it."),
        may("known_most", Kind::I64, "Known peers that belong into the bucket."),
        may("known_actual", Kind::I64, "Those of them that it has."),
        may("unknown_actual", Kind::I64, "Entries of the bucket that are no known peer: stale ones."),
    ],
    sort: &["instance", "file_id", "line", "depth"],
};
