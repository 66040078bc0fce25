//! The report on one lookup: what happened, peer by peer, and what came of it.

use super::effort::effort;
use super::lookups::{Lookup, Scored};
use super::steps::Step;
use super::summary::{number, ratio};
use super::trace::{Contact, Fate, Trace};
use super::tree::{self, Shown};
use crate::report::{Cell, Column, Facts, Line, Report, Section, Table, Tone};

/// The report on one lookup of a run.
pub(super) fn view(scored: &Scored, lookup: &Lookup, steps: &[Step], title: &str) -> Report {
    let world = &scored.world;
    let place = |number: u32| world.peer(number).and_then(|peer| peer.place);
    let closest = lookup.returned(scored.k);
    let trace = Trace::follow(steps, lookup.own, lookup.place, closest, place);
    let path = critical(&trace, closest);
    let shown = Shown { scored, lookup, trace: &trace, path: &path };
    let mut report = Report::new("lookup", format!("Lookup {} of {title}", lookup.query));
    report.headline = Some(headline(scored, lookup));
    let spent = effort(&trace, lookup.place, closest, place);
    let mut cost = Facts::new("cost", "What it cost");
    cost.add("requests", "requests", spent.requests);
    cost.add_with(
        "responses",
        "answers",
        spent.responses,
        format!("{} named somebody nearer than all before", spent.useful),
    );
    cost.add("failed", "failed", spent.failed);
    cost.add_with("wasted", "wasted", spent.wasted, "requests to peers that led to nobody in the closest set");
    cost.add_with(
        "heard",
        "peers heard of",
        spent.heard,
        format!("{} never asked", trace.contacts.iter().filter(|one| one.asked_ns.is_none()).count()),
    );
    cost.add_with("hops", "hops", spent.hops, gained(spent.bits_start, spent.bits_end));
    report.sections = vec![
        Section::Facts(what(&shown)),
        Section::Facts(cost),
        Section::Facts(time(&shown)),
        Section::Table(tree::table(&shown)),
        Section::Table(nearest(&shown)),
    ];
    if steps.is_empty() {
        report.note(Tone::Warn, "no step of this lookup was written: only that it took place is known");
    }
    if trace.after_end > 0 {
        let text = format!("{} steps after the end are left out: they store a record, or came late", trace.after_end);
        report.note(Tone::Dim, text);
    }
    report
}

fn gained(start: Option<u32>, end: Option<u32>) -> String {
    match (start, end) {
        (Some(start), Some(end)) => format!("from {start} to {end} bits shared with the target"),
        _ => String::new(),
    }
}

fn headline(scored: &Scored, lookup: &Lookup) -> Line {
    let head = format!("{} by {} {}", lookup.op, lookup.instance, lookup.ended());
    let Some(recall) = lookup.score.and_then(|score| score.recall_alive) else {
        return Line { text: format!("{head}; it cannot be held against the truth"), tone: Tone::Warn };
    };
    let tone = match recall {
        all if all >= 1.0 => Tone::Good,
        some if some >= 0.5 => Tone::Warn,
        _ => Tone::Bad,
    };
    Line { text: format!("{head}: it found {:.0} % of the {} nearest alive", 100.0 * recall, scored.k), tone }
}

fn what(shown: &Shown<'_>) -> Facts {
    let lookup = shown.lookup;
    let mut facts = Facts::new("lookup", "");
    facts.add("query_id", "number", Cell::Text(lookup.query.to_string()));
    facts.add("id", "id", lookup.id.clone());
    facts.add("op", "operation", lookup.op.as_str());
    facts.add("target", "target", lookup.target.clone());
    facts.add("instance", "asked by", lookup.instance.as_str());
    facts.add("start", "began", lookup.start_ns.map_or(Cell::Absent, Cell::Time));
    facts.add_with(
        "ended",
        "ended",
        lookup.ended(),
        lookup.status.as_deref().map_or(String::new(), |status| format!("status {status}")),
    );
    facts.add(
        "results_found",
        "results",
        match (lookup.found, lookup.expected) {
            (Some(found), Some(expected)) => Cell::Of(found.into(), expected.into()),
            (found, _) => found.into(),
        },
    );
    let score = lookup.score.unwrap_or_default();
    facts.add_with("recall_alive_ratio", "recall", ratio(score.recall_alive), "of the nearest alive when it settled");
    facts.add_with("recall_all_ratio", "recall of all", ratio(score.recall_all), "of the nearest of all servers");
    facts.add("displacement_alive", "ranks off", number(score.displacement_alive));
    facts.add("distance_ratio_bits", "bits off", number(score.distance_ratio_bits));
    facts
}

/// The chain of peers on whose answers the result waited: to whoever gave the first result, else to the one of the
/// closest set that answered last.
fn critical(trace: &Trace, closest: &[u32]) -> Vec<u32> {
    let answered = |peer: &u32| trace.contact(*peer).is_some_and(|contact| contact.fate == Fate::Answered);
    let ended = |peer: &u32| trace.contact(*peer).and_then(|contact| contact.ended_ns);
    let last_of_closest =
        || closest.iter().copied().filter(|peer| answered(peer)).max_by_key(|peer| (ended(peer), *peer));
    let last = trace.first_result.filter(answered).or_else(last_of_closest);
    last.map_or(Vec::new(), |last| trace.path(last).iter().map(|contact| contact.peer).collect())
}

/// Where the time went: on the critical path in requests and between them, and after it.
fn time(shown: &Shown<'_>) -> Facts {
    let mut facts = Facts::new("time", "Where the time went");
    let (begin, end) = shown.span();
    let contacts: Vec<&Contact> = shown.path.iter().filter_map(|&peer| shown.trace.contact(peer)).collect();
    let (mut asked, mut waited, mut at) = (0, 0, begin);
    for contact in &contacts {
        let (Some(from), Some(until)) = (contact.asked_ns, contact.ended_ns) else { continue };
        waited += from - at;
        asked += until - from;
        at = until;
    }
    facts.add("took_ns", "first to last step", Cell::nanos(end - begin));
    if contacts.is_empty() {
        return facts;
    }
    let hops = if contacts.len() == 1 { "1 hop".to_owned() } else { format!("{} hops", contacts.len()) };
    facts.add_with(
        "path_request_ns",
        "requests",
        Cell::nanos(asked),
        format!("on the critical path of {hops}, marked ◆"),
    );
    facts.add_with("path_wait_ns", "between them", Cell::nanos(waited), "a peer was known and not yet asked");
    facts.add_with(
        "tail_ns",
        "after them",
        Cell::nanos(end - at),
        "the result was there, and others were still waited for",
    );
    facts
}

/// The servers that were really nearest, and what the lookup made of each; then whatever else it returned.
fn nearest(shown: &Shown<'_>) -> Table {
    let columns = vec![
        Column::new("rank", "rank"),
        Column::new("peer", "peer"),
        Column::hidden("peer_id"),
        Column::new("shared_bits", "bits"),
        Column::new("returned", "returned"),
        Column::new("fate", "in this lookup"),
    ];
    let mut table = Table::new("nearest", "Who was really nearest, and what came of them", columns);
    "no server is known to have been alive".clone_into(&mut table.empty);
    let (scored, lookup) = (shown.scored, shown.lookup);
    let Some(target) = lookup.place else { return table };
    let (_, end) = shown.span();
    let returned = lookup.returned(scored.k);
    let alive = scored.truth.servers.nearest(target).filter(|one| Some(one.number) != lookup.own && one.is_alive(end));
    let mut rest: Vec<u32> = returned.to_vec();
    for (rank, server) in (1_u64..).zip(alive) {
        let at = rest.iter().position(|&peer| peer == server.number);
        if let Some(at) = at {
            rest.remove(at);
        }
        if rank <= u64::from(scored.k) || at.is_some() {
            table.rows.push(fate(shown, Cell::Count(rank), server.number, at.is_some()));
        } else if rest.is_empty() {
            break;
        }
    }
    // Dead, foreign, or no servers: they have no rank.
    table.rows.extend(rest.iter().map(|&peer| fate(shown, Cell::Absent, peer, true)));
    table
}

fn fate(shown: &Shown<'_>, rank: Cell, peer: u32, returned: bool) -> Vec<Cell> {
    let (_, end) = shown.span();
    let known = shown.scored.world.peer(peer);
    let word = |text: &str, tone| Cell::Word(text.to_owned(), tone);
    let made = match shown.trace.contact(peer).map(|contact| contact.fate) {
        None => word("never heard of", Tone::Warn),
        Some(Fate::Heard) => word("heard of, not asked", Tone::Dim),
        Some(Fate::Asked) => word("asked, no answer", Tone::Warn),
        Some(Fate::Failed) => word("asked, failed", Tone::Bad),
        Some(Fate::Answered) => word("answered", Tone::Good),
    };
    let is_alive = known.is_some_and(|peer| peer.is_alive(end));
    let seen = match (returned, is_alive) {
        (true, true) => word("yes", Tone::Good),
        (true, false) => word("yes, but not alive", Tone::Bad),
        (false, _) => word("no", Tone::Warn),
    };
    vec![
        rank,
        tree::short(&shown.scored.world.name(peer)).into(),
        known.and_then(|peer| peer.id.clone()).into(),
        shown.bits(peer).into(),
        seen,
        made,
    ]
}
