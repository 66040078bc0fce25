//! The steps of lookups while they are brought together.

use std::collections::BTreeMap;

use super::asked::Asked;
use super::tree::{Origin, Step};

/// A lookup without an id ends where it was silent for this long.
const GAP_NS: i64 = 10_000_000_000;
/// A plan that writes its two traces one beside the other may write a first step before the begin of its lookup.
const SLACK_NS: i64 = 100_000_000;

/// A lookup whose steps are being gathered.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) lookup: Option<String>,
    pub(crate) op: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) target_kad: Option<[u8; 32]>,
    pub(crate) key_group: Option<String>,
    pub(crate) round: Option<i32>,
    pub(crate) status: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) expected: Option<u32>,
    pub(crate) recorded: bool,
    /// It is the trace of a plan that may have measured its operations.
    pub(crate) traced: bool,
    pub(crate) asked: Option<Box<Asked>>,
    pub(crate) steps: Vec<Step>,
}

impl Gathered {
    /// The operations that it may be: the plan's words for records mean two each.
    pub(crate) fn candidates(&self) -> Option<Vec<&str>> {
        match (self.op.as_deref(), self.tag.as_deref()) {
            (Some(op), _) => Some(vec![op]),
            (None, Some("provider-records")) => Some(vec!["find_providers", "provide"]),
            (None, Some("ipns-records")) => Some(vec!["get", "put"]),
            _ => None,
        }
    }

    pub(crate) fn start(&self) -> (i64, u32, u32) {
        self.steps.first().map_or((i64::MAX, 0, 0), |step| (step.ts, step.file_id, step.line))
    }

    /// When its last traced step was.
    pub(crate) fn end(&self) -> i64 {
        self.steps.iter().filter(|step| step.origin != Origin::Beside).map(|step| step.ts).max().unwrap_or(i64::MIN)
    }

    /// How it ended, as far as its lines say. What a search for providers or for a peer is worth follows from what it
    /// found, not from why it ended.
    pub(crate) fn status(&self, results: u32) -> &str {
        let told = self.status.as_deref().unwrap_or("incomplete");
        match (self.op.as_deref(), self.reason.as_deref()) {
            (Some("find_providers"), Some("completed" | "stopped" | "starvation")) => {
                if results > 0 {
                    "done"
                } else {
                    "fail"
                }
            }
            (Some("find_peer"), Some("completed" | "starvation"))
                if self.steps.iter().any(|s| s.origin == Origin::Traced) =>
            {
                "fail"
            }
            _ => told,
        }
    }
}

/// The steps that share a key.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) instance: u32,
    pub(crate) quality: String,
    pub(crate) key: String,
    pub(crate) lookups: Vec<Gathered>,
    pub(crate) by_id: BTreeMap<String, usize>,
    pub(crate) loose: Gathered,
    pub(crate) steps: usize,
}

impl Group {
    /// Where a step with this id belongs.
    pub(crate) fn of(&mut self, lookup: Option<&str>) -> &mut Gathered {
        let Some(id) = lookup else { return &mut self.loose };
        let at = *self.by_id.entry(id.to_owned()).or_insert(self.lookups.len());
        if at == self.lookups.len() {
            self.lookups.push(Gathered { lookup: Some(id.to_owned()), ..Gathered::default() });
        }
        &mut self.lookups[at]
    }

    /// The lookups, each with the steps without an id that fall into its time; those that fall into none are split
    /// where they are silent.
    pub(crate) fn split(mut self) -> Vec<Gathered> {
        self.lookups.sort_by_key(Gathered::start);
        let spans: Vec<(i64, i64)> = self.lookups.iter().map(|lookup| (lookup.start().0, lookup.end())).collect();
        let Gathered { op, tag, target, target_kad, mut steps, .. } = self.loose;
        steps.sort_by_key(|step| (step.ts, step.file_id, step.line));
        let mut rest: Vec<Gathered> = Vec::new();
        for mut step in steps {
            let within = spans.iter().rposition(|&(start, end)| start <= step.ts && step.ts <= end);
            let after = || spans.iter().rposition(|&(start, end)| start <= step.ts && step.ts - end <= GAP_NS);
            let before = || spans.iter().position(|&(start, _)| step.ts < start && start - step.ts <= SLACK_NS);
            if let Some(at) = within.or_else(after).or_else(before) {
                step.origin = Origin::Beside;
                self.lookups[at].steps.push(step);
                continue;
            }
            let silent = rest.last().and_then(|last| last.steps.last()).is_none_or(|last| step.ts - last.ts > GAP_NS);
            if silent {
                rest.push(Gathered {
                    op: op.clone(),
                    tag: tag.clone(),
                    target: target.clone(),
                    target_kad,
                    ..Gathered::default()
                });
            }
            if let Some(last) = rest.last_mut() {
                last.steps.push(step);
            }
        }
        for lookup in &mut self.lookups {
            // The order of a lookup's own lines is kept: it is what the tree follows.
            lookup.steps.sort_by_key(|step| step.ts);
            // The key is lossy text where it is no UTF-8; beside it stands the plan's own form.
            if target.is_some() {
                lookup.target.clone_from(&target);
            } else if lookup.target.as_ref().is_some_and(|text| text.contains('\u{fffd}')) {
                lookup.target = None;
            }
        }
        self.lookups.extend(rest);
        self.lookups.sort_by_key(Gathered::start);
        self.lookups
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Kind;
    use super::*;

    fn step(kind: Kind, ts: i64) -> Step {
        Step {
            origin: Origin::Traced,
            kind,
            word: String::new(),
            file_id: 1,
            line: 1,
            ts,
            peer: Some(1),
            source: None,
            cause: None,
            n_closer: None,
            closer: Vec::new(),
            rtt_ns: None,
            error: None,
            value: None,
        }
    }

    #[test]
    fn steps_without_an_id_belong_to_the_lookup_of_their_time() {
        let s = 1_000_000_000;
        let mut group = Group::default();
        for (id, start, end) in [("a", 10 * s, 11 * s), ("b", 40 * s, 41 * s)] {
            group.of(Some(id)).steps = vec![step(Kind::Send, start), step(Kind::Terminate, end)];
        }
        // Just before a lookup, within, after; and long before any, which is one of its own.
        group.of(None).steps = [10 * s - 1, 10 * s + 1, 12 * s, 40 * s - SLACK_NS, s]
            .map(|ts| Step { origin: Origin::Full, ..step(Kind::Send, ts) })
            .to_vec();
        let told = group.split().into_iter().map(|lookup| (lookup.lookup, lookup.steps.len())).collect::<Vec<_>>();
        assert_eq!(told, [(None, 1), (Some("a".to_owned()), 5), (Some("b".to_owned()), 3)]);
    }
}
