//! What libp2p-kad tells its connection handlers, and they it: types that it does not export, read from their `Debug`.
//!
//! The version is pinned, and what is read here is held against the totals that the library publishes.

use std::fmt::{self, Debug, Write as _};

use libp2p::PeerId;

/// What a message between the behaviour and a handler is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The library's number of the query.
    pub query: usize,
    pub what: What,
}

/// What happens in a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A request of a search.
    Ask,
    /// A request to keep something.
    Keep,
    /// An answer of a search, with the peers it names.
    Answer(Vec<PeerId>),
    /// An answer to a request to keep something.
    Kept,
    /// No answer, and why.
    Failed(String),
}

/// The name of a message's kind, without the rest of its text.
fn kind(message: &impl Debug) -> String {
    let mut head = Head(String::new());
    // It ends with an error as soon as the name is there.
    let _stopped = write!(head, "{message:?}");
    variant(&head.0).to_owned()
}

/// What a message to a handler says; none if it is not part of a query of ours.
pub fn sent(message: &impl Debug) -> Option<Said> {
    // The answers to other nodes are most of all messages, and the longest.
    if kind(message).ends_with("Res") { None } else { to_handler(&format!("{message:?}")) }
}

/// What a message from a handler says; none if it is not part of a query of ours.
pub fn heard(message: &impl Debug) -> Option<Said> {
    if kind(message).ends_with("Req") { None } else { from_handler(&format!("{message:?}")) }
}

/// Takes a first piece of text and refuses the rest.
struct Head(String);

impl fmt::Write for Head {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        if self.0.contains([' ', '(']) { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Reads a message to a handler; none if it is not part of a query of ours.
fn to_handler(text: &str) -> Option<Said> {
    let what = match variant(text) {
        "FindNodeReq" | "GetProvidersReq" | "GetRecord" => What::Ask,
        "AddProvider" | "PutRecord" => What::Keep,
        _ => return None,
    };
    Some(Said { query: query(text)?, what })
}

/// Reads a message from a handler; none if it is not part of a query of ours.
fn from_handler(text: &str) -> Option<Said> {
    let what = match variant(text) {
        "FindNodeRes" | "GetProvidersRes" | "GetRecordRes" => What::Answer(closer(text)?),
        "PutRecordRes" => What::Kept,
        "QueryError" => {
            let from = text.find("error: ")? + "error: ".len();
            What::Failed(text.get(from..text.rfind(", query_id")?)?.to_owned())
        }
        _ => return None,
    };
    Some(Said { query: query(text)?, what })
}

/// The number in `QueryId(7)`.
pub fn number(text: &str) -> Option<usize> {
    text.strip_prefix("QueryId(")?.split_once(')')?.0.parse().ok()
}

fn variant(text: &str) -> &str {
    text.split([' ', '(']).next().unwrap_or(text)
}

/// The last `query_id` of the text: it is the last field, and whatever a record holds stands before it.
fn query(text: &str) -> Option<usize> {
    const KEY: &str = "query_id: ";
    number(text.get(text.rfind(KEY)? + KEY.len()..)?)
}

fn closer(text: &str) -> Option<Vec<PeerId>> {
    let from = text.rfind("closer_peers: [")?;
    let rest = text.get(from..)?;
    let rest = rest.split("provider_peers: [").next()?;
    rest.split("node_id: PeerId(\"").skip(1).map(|piece| piece.split('"').next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust";

    #[test]
    fn requests_and_answers_are_read() {
        let ask = |text| to_handler(text);
        assert_eq!(ask("FindNodeReq { key: [1, 2], query_id: QueryId(7) }"), Some(Said { query: 7, what: What::Ask }));
        let keep = "PutRecord { record: Record { key: Key(b\"query_id: QueryId(9)\") }, query_id: QueryId(3) }";
        assert_eq!(ask(keep), Some(Said { query: 3, what: What::Keep }));
        assert_eq!(ask("FindNodeRes { closer_peers: [], request_id: RequestId { connec_unique_id: 4 } }"), None);
        assert_eq!(ask("ReconfigureMode { new_mode: Server }"), None);
        let peer =
            |id: &str| format!("KadPeer {{ node_id: PeerId(\"{id}\"), multiaddrs: [], connection_ty: Connected }}");
        let text = format!(
            "GetProvidersRes {{ closer_peers: [{}], provider_peers: [{}], query_id: QueryId(0) }}",
            peer(A),
            peer("not read")
        );
        let peers = vec![A.parse().expect("a peer id")];
        assert_eq!(from_handler(&text), Some(Said { query: 0, what: What::Answer(peers) }));
        assert_eq!(
            from_handler("QueryError { error: Io(Kind(TimedOut)), query_id: QueryId(1) }"),
            Some(Said { query: 1, what: What::Failed("Io(Kind(TimedOut))".to_owned()) })
        );
        assert_eq!(from_handler("FindNodeReq { key: [1], request_id: RequestId { connec_unique_id: 4 } }"), None);
    }

    #[test]
    fn broken_text_is_nothing() {
        for text in ["", "FindNodeRes", "FindNodeReq { query_id: QueryId(", "QueryError { query_id: QueryId(1) }"] {
            assert_eq!(to_handler(text), None, "{text}");
            assert_eq!(from_handler(text), None, "{text}");
        }
    }
}
