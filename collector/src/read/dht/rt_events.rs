//! Changes of the DHT plan's routing tables: `rt_evts.out`.

use serde::Deserialize;

use super::super::json::{Ns, Text};
use super::super::{At, Fate, peer};
use super::{Peer, parse, parsed};
use crate::dataset::segment::{Segment, T};

#[derive(Deserialize)]
struct RtEvent<'a> {
    ts: Ns,
    #[serde(borrow)]
    info: RtInfo<'a>,
}

#[derive(Deserialize)]
struct RtInfo<'a> {
    #[serde(borrow, default, rename = "PeerUpdated")]
    updated: Option<RtUpdate<'a>>,
    #[serde(default, rename = "BucketRefreshLaunched")]
    refresh: Option<Refresh>,
}

#[derive(Deserialize)]
struct RtUpdate<'a> {
    #[serde(borrow, default, rename = "Added")]
    added: Option<Vec<Peer<'a>>>,
    #[serde(borrow, default, rename = "Removed")]
    removed: Option<Vec<Peer<'a>>>,
    #[serde(borrow, default, rename = "Updated")]
    updated: Option<Vec<Scored<'a>>>,
}

#[derive(Deserialize)]
struct Scored<'a> {
    #[serde(borrow, rename = "Peer")]
    peer: Peer<'a>,
    #[serde(default, rename = "Score")]
    score: Option<f64>,
}

#[derive(Deserialize, Default)]
struct Refresh {
    #[serde(default, rename = "CPL")]
    cpl: Option<u16>,
    #[serde(default, rename = "Skipped")]
    skipped: Option<bool>,
}

/// Reads a line of `rt_evts.out`.
pub(crate) fn rt_event(segment: &mut Segment, at: At, line: &str) -> Fate {
    let event: RtEvent<'_> = parsed!(line);
    let ts = event.ts.0;
    let put =
        |segment: &mut Segment, kind: &str, peer: Option<&Text<'_>>, refresh: Option<Refresh>, score: Option<f64>| {
            let idx = peer.map(|id| segment.peer(&peer::normal(id.as_str())));
            let refresh = refresh.unwrap_or_default();
            segment
                .row(T::RtEvents, at.file_id, at.line)
                .put(at.instance)
                .put(ts)
                .put(kind)
                .put(idx)
                .put(refresh.cpl)
                .put(refresh.skipped)
                .put(score)
                .end();
        };
    match (event.info.updated, event.info.refresh) {
        (Some(update), _) => {
            let (added, removed) = (update.added.unwrap_or_default(), update.removed.unwrap_or_default());
            let updated = update.updated.unwrap_or_default();
            for peer in &added {
                put(segment, "added", Some(&peer.peer), None, None);
            }
            for peer in &removed {
                put(segment, "removed", Some(&peer.peer), None, None);
            }
            for one in &updated {
                put(segment, "updated", Some(&one.peer.peer), None, one.score);
            }
            if added.is_empty() && removed.is_empty() && updated.is_empty() {
                put(segment, "nothing", None, None, None);
            }
            Fate::Mapped
        }
        (None, Some(refresh)) => {
            put(segment, "refresh", None, Some(refresh), None);
            Fate::Mapped
        }
        (None, None) => Fate::Noted("unknown-event"),
    }
}
