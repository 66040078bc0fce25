//! Which file is read how.

use tg_model::layout::{STDERR_FILE, STDOUT_FILE};
use tg_model::record;

/// How a file of an instance is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    /// `run.out`: events, and the metrics of early SDKs.
    RunOut,
    /// `results.out`.
    Results,
    /// `diagnostics.out`.
    Diagnostics,
    /// `tg.connections.ndjson`.
    Connections,
    /// `tg.peers.ndjson`.
    Peers,
    /// `tg.lookups.ndjson`.
    Lookups,
    /// `tg.routing.ndjson`.
    Routing,
    /// `dht_graphs.out`.
    DhtGraph,
    /// `dht_rt.out`.
    DhtTable,
    /// `dht_queries.out`.
    DhtQueries,
    /// `dht_lookups.out`.
    DhtLookups,
    /// `rt_evts.out`.
    DhtRtEvents,
    /// `node.out`.
    DhtNode,
    /// `conn_trace.out`.
    ConnTrace,
    /// `stdout.json` of early 2020.
    EarlyOut,
    /// `stderr.json` of early 2020.
    EarlyErr,
    /// A pubsub trace in binary.
    Trace {
        /// Whether it is in gzip.
        packed: bool,
    },
    /// A pubsub trace as JSON.
    TraceJson,
    /// `peer-scores-*.json`.
    Scores,
    /// `*-aggregate.json`.
    Aggregate,
    /// `connections-*.json`.
    Topology,
    /// By these rules of the user, by number.
    Ruled(Vec<usize>),
    /// What an instance printed: events that `run.out` lacks, and text.
    Printed,
    /// One JSON object per line, into a table of the author's own.
    Own(String),
    /// Text, line by line into `logs`.
    Text,
    /// Neither lines nor records.
    Binary,
}

impl Rule {
    /// The rule for a file that its name alone decides.
    pub(crate) fn by_name(path: &str) -> Option<Self> {
        Some(match path {
            record::RUN_OUT => Self::RunOut,
            record::RESULTS_OUT => Self::Results,
            record::DIAGNOSTICS_OUT => Self::Diagnostics,
            record::CONNECTIONS_FILE => Self::Connections,
            record::PEERS_FILE => Self::Peers,
            record::LOOKUPS_FILE => Self::Lookups,
            record::ROUTING_FILE => Self::Routing,
            "dht_graphs.out" => Self::DhtGraph,
            "dht_rt.out" => Self::DhtTable,
            "dht_queries.out" => Self::DhtQueries,
            "dht_lookups.out" => Self::DhtLookups,
            "rt_evts.out" => Self::DhtRtEvents,
            "node.out" => Self::DhtNode,
            "conn_trace.out" => Self::ConnTrace,
            STDOUT_FILE => Self::Printed,
            STDERR_FILE | "run.err" => Self::Text,
            "stdout.json" => Self::EarlyOut,
            "stderr.json" => Self::EarlyErr,
            _ => return Self::of_pubsub(path.rsplit('/').next().unwrap_or(path)),
        })
    }

    /// The rule for a file of the pubsub plans, whose names carry who wrote them.
    fn of_pubsub(name: &str) -> Option<Self> {
        let traces =
            name.starts_with("tracer-output-") || name.starts_with("full-trace") || name.starts_with("filtered-trace");
        let json = name.strip_suffix(".json");
        Some(match json {
            None if traces && name.strip_suffix(".bin").is_some() => Self::Trace { packed: false },
            None if traces && name.ends_with(".bin.gz") => Self::Trace { packed: true },
            Some(stem) if stem.starts_with("peer-scores") => Self::Scores,
            Some(stem) if traces && stem.ends_with("-aggregate") => Self::Aggregate,
            Some(stem) if stem.starts_with("connections-") => Self::Topology,
            _ => return None,
        })
    }

    /// The rule for any file: by its name, else by its first bytes.
    pub(crate) fn of(path: &str, head: &[u8]) -> Self {
        if let Some(rule) = Self::by_name(path) {
            return rule;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let own = own_name(name);
        if !looks_like_text(head) {
            return Self::Binary;
        }
        if looks_like_trace(head) {
            return Self::TraceJson;
        }
        match own {
            Some(own) if name.ends_with(record::OWN_TABLE_SUFFIX) => Self::Own(own),
            Some(own) if begins_with_object(head) => Self::Own(own),
            _ => Self::Text,
        }
    }

    /// The word for it in `files.kind`.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::RunOut => "run.out",
            Self::Results => "results.out",
            Self::Diagnostics => "diagnostics.out",
            Self::Connections => "tg.connections",
            Self::Peers => "tg.peers",
            Self::Lookups => "tg.lookups",
            Self::Routing => "tg.routing",
            Self::DhtGraph => "dht_graphs",
            Self::DhtTable => "dht_rt",
            Self::DhtQueries => "dht_queries",
            Self::DhtLookups => "dht_lookups",
            Self::DhtRtEvents => "rt_evts",
            Self::DhtNode => "node",
            Self::ConnTrace => "conn_trace",
            Self::EarlyOut => "stdout.json",
            Self::EarlyErr => "stderr.json",
            Self::Trace { .. } => "pubsub_trace",
            Self::TraceJson => "pubsub_trace_json",
            Self::Scores => "peer_scores",
            Self::Aggregate | Self::Topology => "document",
            Self::Ruled(_) => "rules",
            Self::Printed => "printed",
            Self::Own(_) => "own",
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

/// The name of the table for a file's name: letters, digits and `_`, in lower case, from what stands before the last
/// dot.
fn own_name(name: &str) -> Option<String> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut own: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    if own.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        own.insert(0, 'n');
    }
    let own = own.trim_matches('_').to_owned();
    record::is_own_table_name(&own).then_some(own)
}

/// Whether a file's first bytes are text: valid UTF-8 but for a few strays, and no zero byte.
fn looks_like_text(head: &[u8]) -> bool {
    let head = &head[..head.len().min(8192)];
    if memchr::memchr(0, head).is_some() {
        return false;
    }
    let odd = head.utf8_chunks().map(|chunk| chunk.invalid().len()).sum::<usize>();
    odd * 20 <= head.len()
}

/// Whether the first line is an event of a pubsub trace as JSON.
fn looks_like_trace(head: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Event {
        #[serde(rename = "type")]
        _kind: serde::de::IgnoredAny,
        #[serde(rename = "peerID")]
        _peer: serde::de::IgnoredAny,
        #[serde(rename = "timestamp")]
        _ts: serde::de::IgnoredAny,
    }
    let first = head.split(|&b| b == b'\n').next().unwrap_or(head);
    first.starts_with(b"{\"") && serde_json::from_slice::<Event>(first).is_ok()
}

/// Whether the first line that is not empty is a JSON object, or begins as one and is cut by the end of the head.
fn begins_with_object(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut lines = head.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let Some(first) = lines.next() else { return false };
    if !first.starts_with(b"{\"") {
        return false;
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(first) {
        Ok(_) => true,
        // A document over many lines is no line record, but a record may be longer than what was looked at.
        Err(error) => error.is_eof() && !head.contains(&b'\n'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_first_and_content_second() {
        let cases: [(&str, &[u8], Rule); 21] = [
            ("run.out", b"\0", Rule::RunOut),
            ("sub/run.out", b"hello", Rule::Text),
            ("stdout.log", b"", Rule::Printed),
            ("stderr.log", b"", Rule::Text),
            ("rtts.ndjson", b"x", Rule::Own("rtts".to_owned())),
            ("custom-Latency.out", b"{\"a\":1}\n", Rule::Own("custom_latency".to_owned())),
            ("notes.txt", b"\n\nhello\n", Rule::Text),
            ("conf.json", b"{\n \"a\": 1\n}\n", Rule::Text),
            ("heap.pprof", b"\x1f\x8b\0\0", Rule::Binary),
            ("latin.txt", b"caf\xe9 and enough text behind it to be sure", Rule::Text),
            ("..ndjson", b"{\"a\":1}\n", Rule::Text),
            ("stdout.json", b"", Rule::EarlyOut),
            ("stderr.json", b"", Rule::EarlyErr),
            ("tracer-output-honest-3-full.bin", b"", Rule::Trace { packed: false }),
            ("t/tracer-output-honest-3-filtered.bin.gz", b"", Rule::Trace { packed: true }),
            ("tracer-output-honest-3-aggregate.json", b"", Rule::Aggregate),
            ("peer-scores-honest-3.json", b"", Rule::Scores),
            ("connections-honest-1-0.json", b"", Rule::Topology),
            ("trace.out", b"{\"type\":0,\"peerID\":\"AA\",\"timestamp\":1}\n", Rule::TraceJson),
            ("image.bin", b"\0", Rule::Binary),
            ("x-aggregate.json", b"{\n", Rule::Text),
        ];
        for (path, head, rule) in cases {
            assert_eq!(Rule::of(path, head), rule, "{path}");
        }
    }
}
