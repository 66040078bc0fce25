//! Publish and subscribe.

use super::{INSTANCE, Kind, TS, Table, may, must};

/// `pubsub_trace`: what the tracer of a pubsub router saw.
pub const PUBSUB_TRACE: Table = Table {
    name: "pubsub_trace",
    doc: "One row per event of a pubsub tracer. Binary traces have no lines: `line` is the number of the record. A record that the filtered and the full trace share is one row, and a row of `copies`.",
    columns: &[
        INSTANCE,
        TS,
        must("type", Kind::U8, "The event's number in the trace format."),
        must(
            "name",
            Kind::Text,
            "publish, reject, duplicate, deliver, add_peer, remove_peer, recv_rpc, send_rpc, drop_rpc, join, leave, graft or prune.",
        ),
        may("local_idx", Kind::U32, "The peer that saw it: `peers.peer_idx`."),
        may("peer_idx", Kind::U32, "The other peer: `peers.peer_idx`."),
        may("topic", Kind::Text, "The topic, the first if there are several."),
        may("msg_id", Kind::Bytes, "The message's id."),
        may("reason", Kind::Text, "Why a message was rejected, or the protocol of a peer that was added."),
        may("n_msgs", Kind::U16, "Messages in an RPC."),
        may("n_ihave", Kind::U16, "Message ids that an RPC announced."),
        may("n_iwant", Kind::U16, "Message ids that an RPC asked for."),
        may("n_graft", Kind::U16, "Grafts in an RPC."),
        may("n_prune", Kind::U16, "Prunes in an RPC."),
        may("n_idontwant", Kind::U16, "Message ids that an RPC declined."),
    ],
    sort: &["instance", "file_id", "line"],
};

/// `pubsub_counts`: what a tracer added up.
pub const PUBSUB_COUNTS: Table = Table {
    name: "pubsub_counts",
    doc: "One row per total in a pubsub tracer's aggregate file.",
    columns: &[
        INSTANCE,
        may("local_idx", Kind::U32, "The peer that counted: `peers.peer_idx`."),
        must("name", Kind::Text, "Published, Delivered, SentRPC.Grafts, …"),
        must("count", Kind::U64, "The total."),
    ],
    sort: &["instance", "file_id", "name"],
};

/// `pubsub_topology`: whom a plan told an instance to connect to.
pub const PUBSUB_TOPOLOGY: Table = Table {
    name: "pubsub_topology",
    doc: "One row per entry of a plan's list of connections, by the plan's own names for nodes.",
    columns: &[
        INSTANCE,
        must("node", Kind::Text, "The instance's own name in the plan, from the file's name."),
        must("remote", Kind::Text, "The other's name in the plan."),
        may("latency_ns", Kind::I64, "The latency that the plan set for this node."),
    ],
    sort: &["instance", "file_id", "remote"],
};

/// `peer_scores`: how peers rate one another.
pub const PEER_SCORES: Table = Table {
    name: "peer_scores",
    doc: "One row per score that a peer gave another at a moment; one without a peer where it rated nobody.",
    columns: &[
        INSTANCE,
        TS,
        must("observer_idx", Kind::U32, "Who rates: `peers.peer_idx`."),
        may("peer_idx", Kind::U32, "Who is rated: `peers.peer_idx`."),
        may("score", Kind::F64, "The score."),
    ],
    sort: &["instance", "file_id", "line", "peer_idx"],
};
