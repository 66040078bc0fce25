//! The trace format of go-libp2p-pubsub, and the row that an event becomes.

use prost::Message;

use super::super::facts::Facts;
use super::super::{At, Fate, peer};
use crate::dataset::segment::{Segment, T};

/// Declares messages of the format by their fields' numbers.
macro_rules! messages {
    ($($name:ident { $($field:ident : $kind:ty = [$($how:tt)*]),* $(,)? })*) => {$(
        #[derive(Clone, PartialEq, Message)]
        pub(super) struct $name {
            $(#[prost($($how)*)] pub(super) $field: $kind,)*
        }
    )*};
}

type Bytes = Option<Vec<u8>>;
type Text = Option<String>;

messages! {
    Event {
        kind: Option<i32> = [int32, optional, tag = "1"],
        peer: Bytes = [bytes = "vec", optional, tag = "2"],
        ts: Option<i64> = [int64, optional, tag = "3"],
        publish: Option<Publish> = [message, optional, tag = "4"],
        reject: Option<Reject> = [message, optional, tag = "5"],
        duplicate: Option<Duplicate> = [message, optional, tag = "6"],
        deliver: Option<Deliver> = [message, optional, tag = "7"],
        add_peer: Option<OfPeer> = [message, optional, tag = "8"],
        remove_peer: Option<OfPeer> = [message, optional, tag = "9"],
        recv_rpc: Option<Rpc> = [message, optional, tag = "10"],
        send_rpc: Option<Rpc> = [message, optional, tag = "11"],
        drop_rpc: Option<Rpc> = [message, optional, tag = "12"],
        join: Option<Join> = [message, optional, tag = "13"],
        leave: Option<Leave> = [message, optional, tag = "14"],
        graft: Option<OfPeer> = [message, optional, tag = "15"],
        prune: Option<OfPeer> = [message, optional, tag = "16"],
    }
    // Early writers gave several topics: the first stands for them.
    Publish {
        id: Bytes = [bytes = "vec", optional, tag = "1"],
        topics: Vec<String> = [string, repeated, tag = "2"],
    }
    Reject {
        id: Bytes = [bytes = "vec", optional, tag = "1"],
        from: Bytes = [bytes = "vec", optional, tag = "2"],
        reason: Text = [string, optional, tag = "3"],
        topic: Text = [string, optional, tag = "4"],
    }
    Duplicate {
        id: Bytes = [bytes = "vec", optional, tag = "1"],
        from: Bytes = [bytes = "vec", optional, tag = "2"],
        topic: Text = [string, optional, tag = "3"],
    }
    Deliver {
        id: Bytes = [bytes = "vec", optional, tag = "1"],
        topic: Text = [string, optional, tag = "2"],
        from: Bytes = [bytes = "vec", optional, tag = "3"],
    }
    // A peer with a protocol (added), with a topic (grafted, pruned) or alone (removed).
    OfPeer {
        peer: Bytes = [bytes = "vec", optional, tag = "1"],
        about: Text = [string, optional, tag = "2"],
    }
    Join { topic: Text = [string, optional, tag = "1"] }
    Leave { topic: Text = [string, optional, tag = "2"] }
    Rpc {
        peer: Bytes = [bytes = "vec", optional, tag = "1"],
        meta: Option<Meta> = [message, optional, tag = "2"],
    }
    Meta {
        messages: Vec<MessageMeta> = [message, repeated, tag = "1"],
        control: Option<Control> = [message, optional, tag = "3"],
    }
    MessageMeta { id: Bytes = [bytes = "vec", optional, tag = "1"] }
    Control {
        ihave: Vec<Have> = [message, repeated, tag = "1"],
        iwant: Vec<Ids> = [message, repeated, tag = "2"],
        graft: Vec<Nothing> = [message, repeated, tag = "3"],
        prune: Vec<Nothing> = [message, repeated, tag = "4"],
        idontwant: Vec<Ids> = [message, repeated, tag = "5"],
    }
    Have { ids: Vec<Vec<u8>> = [bytes = "vec", repeated, tag = "2"] }
    Ids { ids: Vec<Vec<u8>> = [bytes = "vec", repeated, tag = "1"] }
    Nothing {}
}

/// What an RPC held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) msgs: usize,
    pub(super) ihave: usize,
    pub(super) iwant: usize,
    pub(super) graft: usize,
    pub(super) prune: usize,
    pub(super) idontwant: usize,
}

impl Held {
    fn of(meta: &Meta) -> Self {
        let control = meta.control.clone().unwrap_or_default();
        Self {
            msgs: meta.messages.len(),
            ihave: control.ihave.iter().map(|have| have.ids.len()).sum(),
            iwant: control.iwant.iter().map(|want| want.ids.len()).sum(),
            graft: control.graft.len(),
            prune: control.prune.len(),
            idontwant: control.idontwant.iter().map(|ids| ids.ids.len()).sum(),
        }
    }
}

/// An event of a trace, whatever it was written as.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) kind: i64,
    pub(super) ts: Option<i64>,
    pub(super) local: Option<String>,
    pub(super) other: Option<String>,
    pub(super) topic: Option<String>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) reason: Option<String>,
    pub(super) held: Option<Held>,
}

/// The format's words, by number.
pub(super) const KINDS: [(&str, &str); 13] = [
    ("publish", "PUBLISH_MESSAGE"),
    ("reject", "REJECT_MESSAGE"),
    ("duplicate", "DUPLICATE_MESSAGE"),
    ("deliver", "DELIVER_MESSAGE"),
    ("add_peer", "ADD_PEER"),
    ("remove_peer", "REMOVE_PEER"),
    ("recv_rpc", "RECV_RPC"),
    ("send_rpc", "SEND_RPC"),
    ("drop_rpc", "DROP_RPC"),
    ("join", "JOIN"),
    ("leave", "LEAVE"),
    ("graft", "GRAFT"),
    ("prune", "PRUNE"),
];

impl From<Event> for Seen {
    fn from(event: Event) -> Self {
        let id = |bytes: Bytes| bytes.map(|bytes| peer::from_bytes(&bytes));
        let mut seen =
            Self { kind: event.kind.map_or(-1, i64::from), ts: event.ts, local: id(event.peer), ..Self::default() };
        let (of_peer, rpc);
        match event.kind {
            Some(0) => {
                let of = event.publish.unwrap_or_default();
                (seen.id, seen.topic) = (of.id, of.topics.into_iter().next());
            }
            Some(1) => {
                let of = event.reject.unwrap_or_default();
                (seen.id, seen.other, seen.topic, seen.reason) = (of.id, id(of.from), of.topic, of.reason);
            }
            Some(2) => {
                let of = event.duplicate.unwrap_or_default();
                (seen.id, seen.other, seen.topic) = (of.id, id(of.from), of.topic);
            }
            Some(3) => {
                let of = event.deliver.unwrap_or_default();
                (seen.id, seen.other, seen.topic) = (of.id, id(of.from), of.topic);
            }
            Some(kind @ (4 | 5 | 11 | 12)) => {
                of_peer = match kind {
                    4 => event.add_peer,
                    5 => event.remove_peer,
                    11 => event.graft,
                    _ => event.prune,
                }
                .unwrap_or_default();
                seen.other = id(of_peer.peer);
                if kind > 10 {
                    seen.topic = of_peer.about;
                } else {
                    seen.reason = of_peer.about;
                }
            }
            Some(kind @ 6..=8) => {
                rpc = match kind {
                    6 => event.recv_rpc,
                    7 => event.send_rpc,
                    _ => event.drop_rpc,
                }
                .unwrap_or_default();
                seen.other = id(rpc.peer);
                seen.held = rpc.meta.as_ref().map(Held::of);
            }
            Some(9) => seen.topic = event.join.unwrap_or_default().topic,
            Some(10) => seen.topic = event.leave.unwrap_or_default().topic,
            _ => {}
        }
        seen
    }
}

/// Makes the row of an event.
pub(super) fn put(segment: &mut Segment, facts: &mut Facts, at: At, seen: &Seen) -> Fate {
    let Some((name, _)) = usize::try_from(seen.kind).ok().and_then(|kind| KINDS.get(kind)) else {
        return Fate::Noted("unknown-event");
    };
    let Some(ts) = seen.ts else { return Fate::Noted("no-time") };
    if let Some(local) = &seen.local {
        facts.is_probably(local);
    }
    let mut idx = |id: &Option<String>| id.as_ref().map(|id| segment.peer(id));
    let (local, other) = (idx(&seen.local), idx(&seen.other));
    let n = |of: fn(&Held) -> usize| seen.held.as_ref().map(|held| u16::try_from(of(held)).unwrap_or(u16::MAX));
    segment
        .row(T::PubsubTrace, at.file_id, at.line)
        .put(at.instance)
        .put(ts)
        .put(u8::try_from(seen.kind).unwrap_or(u8::MAX))
        .put(*name)
        .put(local)
        .put(other)
        .put(seen.topic.as_deref())
        .put(seen.id.as_deref())
        .put(seen.reason.as_deref())
        .put(n(|held| held.msgs))
        .put(n(|held| held.ihave))
        .put(n(|held| held.iwant))
        .put(n(|held| held.graft))
        .put(n(|held| held.prune))
        .put(n(|held| held.idontwant))
        .end();
    Fate::Mapped
}
