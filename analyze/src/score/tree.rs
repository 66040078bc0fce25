//! A lookup drawn as a tree in time: each peer below the one that told of it.

use std::collections::BTreeMap;

use super::lookups::{Lookup, Scored};
use super::trace::{Contact, Fate, Teller, Trace};
use crate::report::{Cell, Column, Table, Tone};

/// How many characters the whole lookup is wide.
const WIDE: i64 = 18;
/// The longest name in a tree.
const NAME: usize = 20;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) scored: &'a Scored,
    pub(super) lookup: &'a Lookup,
    pub(super) trace: &'a Trace,
    /// The peers of the critical path.
    pub(super) path: &'a [u32],
}

impl Shown<'_> {
    /// From the first step to the one that settled it, or the last that is known.
    pub(super) fn span(&self) -> (i64, i64) {
        let begin = self.trace.start_ns.or(self.lookup.start_ns).unwrap_or(0);
        let ended = self.trace.contacts.iter().filter_map(|contact| contact.ended_ns.or(contact.asked_ns)).max();
        let end = self.trace.end_ns.or(self.lookup.settled_ns).or(ended).unwrap_or(begin);
        (begin, end.max(begin))
    }

    /// How many bits a peer shares with the target.
    pub(super) fn bits(&self, peer: u32) -> Option<u32> {
        Some(self.scored.world.peer(peer)?.place?.shared_bits(self.lookup.place?))
    }
}

/// The tree, a row for each peer that was asked or returned. Whoever was only heard of is in no row, but counted.
pub(super) fn table(shown: &Shown<'_>) -> Table {
    let columns = vec![
        Column::new("tree", "peer"),
        Column::hidden("peer"),
        Column::hidden("peer_id"),
        Column::hidden("told_by"),
        Column::hidden("hop"),
        Column::hidden("critical"),
        Column::new("shared_bits", "bits"),
        Column::new("asked_after_ns", "asked at"),
        Column::new("took_ns", "took"),
        Column::new("new_of_named", "new"),
        Column::new("use", "what for"),
        Column::new("bar", "when"),
        Column::hidden("error"),
    ];
    let mut table = Table::new("tree", "Who told of whom; at the left the peers of the own table", columns);
    "no peer was asked".clone_into(&mut table.empty);
    let trace = shown.trace;
    // Children by teller, in the order in which they were asked.
    let mut children: BTreeMap<Option<u32>, Vec<&Contact>> = BTreeMap::new();
    let returned = shown.lookup.returned(shown.scored.k);
    for contact in &trace.contacts {
        if contact.asked_ns.is_none() && contact.fate == Fate::Heard && !returned.contains(&contact.peer) {
            continue;
        }
        let teller = match contact.teller {
            Teller::Peer(peer) if trace.contact(peer).is_some() => Some(peer),
            Teller::Peer(_) | Teller::OwnTable | Teller::Unknown => None,
        };
        children.entry(teller).or_default().push(contact);
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|contact| (contact.asked_ns.unwrap_or(i64::MAX), contact.heard_ns));
    }
    // Depth first, with the strokes to the left of each row; the last of the list is next.
    let mut next: Vec<(&Contact, String, &str)> = Vec::new();
    let push = |next: &mut Vec<_>, teller: Option<u32>, left: &str| {
        let Some(siblings) = children.get(&teller) else { return };
        for (at, &contact) in siblings.iter().enumerate().rev() {
            let corner = if at + 1 == siblings.len() { "└─" } else { "├─" };
            next.push((contact, left.to_owned(), corner));
        }
    };
    push(&mut next, None, "");
    while let Some((contact, left, corner)) = next.pop() {
        table.rows.push(row(shown, contact, &format!("{left}{corner}")));
        let stroke = if corner == "└─" { "  " } else { "│ " };
        push(&mut next, Some(contact.peer), &format!("{left}{stroke}"));
    }
    table
}

fn row(shown: &Shown<'_>, contact: &Contact, strokes: &str) -> Vec<Cell> {
    let (begin, _) = shown.span();
    let world = &shown.scored.world;
    let name = world.name(contact.peer);
    let critical = shown.path.contains(&contact.peer);
    let mark = if critical { '◆' } else { ' ' };
    let took = contact.rtt_ns.or_else(|| Some(contact.ended_ns? - contact.asked_ns?)).filter(|&took| took >= 0);
    let teller = match contact.teller {
        Teller::Peer(peer) => Cell::Text(world.name(peer)),
        Teller::OwnTable => "own table".into(),
        Teller::Unknown => Cell::Absent,
    };
    let answered = contact.fate == Fate::Answered;
    vec![
        format!("{strokes}{mark}{}", short(&name)).into(),
        name.into(),
        world.peer(contact.peer).and_then(|peer| peer.id.clone()).into(),
        teller,
        shown.trace.hop(contact.peer).into(),
        critical.into(),
        shown.bits(contact.peer).into(),
        contact.asked_ns.map_or(Cell::Absent, |asked| Cell::nanos(asked - begin)),
        took.map_or(Cell::Absent, Cell::nanos),
        if answered { Cell::Of(contact.new.into(), contact.named.into()) } else { Cell::Absent },
        use_of(shown, contact),
        bar(shown, contact).into(),
        contact.error.clone().into(),
    ]
}

/// What a request was good for.
fn use_of(shown: &Shown<'_>, contact: &Contact) -> Cell {
    let at = shown.lookup.returned(shown.scored.k).iter().position(|&peer| peer == contact.peer);
    let (mut text, tone) = match (contact.fate, at) {
        (Fate::Failed, _) => (cause(contact.error.as_deref()), Tone::Bad),
        (Fate::Heard, Some(at)) => (format!("closest {}, unasked", at + 1), Tone::Dim),
        (Fate::Asked, Some(at)) => (format!("closest {}, silent", at + 1), Tone::Warn),
        (Fate::Asked, None) => ("no answer".to_owned(), Tone::Warn),
        (Fate::Answered, Some(at)) => (format!("closest {}", at + 1), Tone::Good),
        (Fate::Answered, None) if contact.led => ("led there".to_owned(), Tone::Plain),
        (Fate::Answered, None) => ("wasted".to_owned(), Tone::Warn),
        (Fate::Heard, None) => (String::new(), Tone::Dim),
    };
    if contact.results > 0 {
        text.push_str(if contact.results == 1 { ", result" } else { ", results" });
    }
    Cell::Word(text, tone)
}

/// The end of an error's text, which is its cause where errors are wrapped.
fn cause(error: Option<&str>) -> String {
    let Some(text) = error.and_then(|text| text.rsplit(": ").next()).filter(|text| !text.is_empty()) else {
        return "failed".to_owned();
    };
    let n = text.chars().count();
    if n > NAME { format!("{}…", text.chars().take(NAME - 1).collect::<String>()) } else { text.to_owned() }
}

/// When a peer was asked, as a stroke within the whole lookup.
fn bar(shown: &Shown<'_>, contact: &Contact) -> String {
    let (begin, end) = shown.span();
    let Some(asked) = contact.asked_ns else { return String::new() };
    let at = |moment: i64| {
        let share = i128::from(moment - begin) * i128::from(WIDE) / i128::from((end - begin).max(1));
        usize::try_from(share.clamp(0, i128::from(WIDE) - 1)).unwrap_or(0)
    };
    let (from, until) = (at(asked), at(contact.ended_ns.unwrap_or(end)));
    let stroke = match contact.fate {
        Fate::Answered => "━",
        Fate::Failed => "╌",
        Fate::Asked | Fate::Heard => "┄",
    };
    format!("{}{}", "·".repeat(from), stroke.repeat(until.saturating_sub(from) + 1))
}

/// A name that fits: the ids of strangers are long, and end in what tells them apart.
pub(super) fn short(name: &str) -> String {
    let n = name.chars().count();
    if n <= NAME {
        return name.to_owned();
    }
    let head: String = name.chars().take(6).collect();
    let tail: String = name.chars().skip(n - 8).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_cut_where_they_tell_least() {
        assert_eq!(short("searchers/12"), "searchers/12");
        assert_eq!(short("12D3KooWFDARoDXRkbM3V4NWauX9zhRVdA9KzcFZgc9X8Vcb1aVQ"), "12D3Ko…8Vcb1aVQ");
        let dial = "failed to dial 12D3KooWFDARoDXRkbM3V4NWauX9zhRVdA9KzcFZgc9X8Vcb1aVQ: connection refused";
        assert_eq!(
            (cause(Some(dial)), cause(None), cause(Some(""))),
            ("connection refused".into(), "failed".into(), "failed".into())
        );
        assert_eq!(cause(Some("ééééééééééééééééééééééé")), "ééééééééééééééééééé…");
    }
}
