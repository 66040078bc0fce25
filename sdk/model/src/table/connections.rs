//! Who was connected to whom.

use super::{INSTANCE, Kind, TS, Table, may, must};

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
