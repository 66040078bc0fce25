//! The run, its instances, what they said, and what became of their files.

use super::{INSTANCE, Kind, T_REL, TS, Table, may, must};

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
        may(
            "network",
            Kind::Text,
            "The network between instances that was asked for, as JSON, as `run.json` has it but for the pairs of a topology.",
        ),
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
        must(
            "phases",
            Kind::I64Map,
            "When it told of a phase (connect, warm, run, cool, complete): ns since 1970-01-01 UTC.",
        ),
        may("region", Kind::Text, "The region of the network that it was put into."),
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

/// `faults`: what was broken on purpose.
pub const FAULTS: Table = Table {
    name: "faults",
    doc: "One row per fault on schedule and instance that it hit; a fault that hits nobody by name has one row.",
    columns: &[
        may("instance", Kind::U32, "The instance: `instances.instance`."),
        must(
            "fault",
            Kind::U32,
            "The number of the fault in the composition, from 0; those that plans asked for follow.",
        ),
        must("action", Kind::Text, "kill, pause, resume, restart, partition, heal or degrade."),
        must("start_ts", Kind::Time, "When it began."),
        may("end_ts", Kind::Time, "When it ended; absent for what has no end before that of the run."),
        T_REL,
        may("side", Kind::U32, "The side of a partition that the instance is on, from 0."),
        may("text", Kind::Text, "What became of the links, where that is the fault."),
    ],
    sort: &["file_id", "line", "instance"],
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

/// `readings`: numbers in known messages.
pub const READINGS: Table = Table {
    name: "readings",
    doc: "One row per number that a known message of the DHT plan tells; the message is a row of `events` as well.",
    columns: &[
        INSTANCE,
        may("ts", Kind::Time, "When."),
        may("t_rel_ns", Kind::I64, "Nanoseconds since the run began."),
        must(
            "name",
            Kind::Text,
            "bootstrap_connections, bootstrap_table_entries, connmgr_high, connmgr_low, dial_attempt or dial_failed_attempt.",
        ),
        must("value", Kind::F64, "The number."),
        may("peer_idx", Kind::U32, "The peer that it is about: `peers.peer_idx`."),
        may("error", Kind::Text, "The error's text."),
    ],
    sort: &["instance", "file_id", "line", "name"],
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

/// `copies`: lines that say again what another file says.
pub const COPIES: Table = Table {
    name: "copies",
    doc: "One row per record that another file of the instance has as well (stdout.log and run.out, a full and a filtered trace): it is a row of its table once, under that file.",
    columns: &[
        INSTANCE,
        must("of_file_id", Kind::U32, "The file that the row of the record names: `files.file_id`."),
        must("of_line", Kind::U32, "The line there."),
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
